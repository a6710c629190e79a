"""A tile of a product of 16-bit integers: its instructions, for which Numba has no names.

`vpmaddwd` multiplies sixteen pairs of 16-bit integers and adds neighbours: twice the
multiplications of a float32's instruction of that width, from half the memory. Every processor with
AVX2 has it. With VNNI, LLVM makes one instruction of it and the addition behind it.

The sums of a tile stay in registers, as long as there are: six rows by sixteen columns take twelve
of sixteen, the columns' weights two and a row's numbers one.
"""

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.extending import intrinsic
from numba.core.registry import cpu_target

ROWS = 6
"""The most of a tile."""
COLUMNS = 16
"""Of each tile."""

_LANES = 8
_VECTORS = COLUMNS // _LANES
_VECTOR_BYTES = 32

_int32, _int64, _float = ir.IntType(32), ir.IntType(64), ir.FloatType()
_shorts = ir.VectorType(ir.IntType(16), 2 * _LANES)
_ints, _floats = ir.VectorType(_int32, _LANES), ir.VectorType(_float, _LANES)


def supported() -> bool:
    """Whether compiled loops may use what a tile is made of: without, the compiler would end the
    process."""
    return {"avx2", "fma"} <= _features()


def faster() -> bool:
    """Whether float32 is slower: it is not where its instructions are twice as wide, AVX-512's,
    unless multiplying and adding integers is one instruction."""
    return supported() and ("avx512f" not in _features() or "avx512vnni" in _features())


def _features() -> set[str]:
    """Instructions that Numba compiles for: the processor's, or `NUMBA_CPU_FEATURES`."""
    _, _, features = cpu_target.target_context.codegen().magic_tuple()
    return {each[1:] for each in features.split(",") if each.startswith("+")}


def tile(rows: int) -> Any:
    """A function for compiled loops: the product of `rows` rows with COLUMNS columns.

    Called with addresses, and distances in bytes:
    `x`, pairs of 16-bit integers, a row after `x_row`;
    `weights`, of each pair of inputs COLUMNS pairs, beside each other and aligned to 32;
    `pairs`, how many pairs of inputs there are, at least one;
    `row_scales` and `column_scales`, float32, by which sums are multiplied;
    `start`, float32, what is added to them, a row after `start_row`;
    `out`, float32, where the result is written to, a row after `out_row`.

    Sums are integers, so that their order does not matter. They must not exceed 32 bits.
    """

    @intrinsic
    def multiply_add(  # noqa: PLR0917 - compiled functions take no keywords
        typing: Any,
        x: Any,
        x_row: Any,
        weights: Any,
        pairs: Any,
        row_scales: Any,
        column_scales: Any,
        start: Any,
        start_row: Any,
        out: Any,
        out_row: Any,
    ) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            builder.call(_function(builder.module, rows), arguments)
            return context.get_dummy_value()

        return types.void(*[types.intp] * 10), generate

    return multiply_add


def _function(module: Any, rows: int) -> Any:
    """A tile as a function of its own, once in a module: who calls it is compiled faster."""
    name = f"multiply_add_{rows}"
    if name in module.globals:
        return module.globals[name]
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), [_int64] * 10), name)
    function.linkage = "linkonce_odr"
    function.attributes.add("noinline")
    function.attributes.add("nounwind")
    builder = ir.IRBuilder(function.append_basic_block("entry"))
    _generate(_Writer(builder), rows, *function.args)
    builder.ret_void()
    return function


def _address(typing: Any, array: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        value = context.make_array(signature.args[0])(context, builder, arguments[0])
        return builder.ptrtoint(value.data, _int64)

    return types.intp(array), generate


address: Any = intrinsic(_address)
"""Where an array begins: for compiled loops, which take long to compile with `ctypes.data`."""


class _Writer:
    """What a tile is written with."""

    def __init__(self, builder: Any) -> None:
        self.builder = builder
        declared: Any = cgutils.get_or_insert_function
        self._pairwise = declared(
            builder.module, ir.FunctionType(_ints, [_shorts] * 2), "llvm.x86.avx2.pmadd.wd"
        )
        self._fused = declared(
            builder.module, ir.FunctionType(_floats, [_floats] * 3), f"llvm.fma.v{_LANES}f32"
        )

    def at(self, address: Any, index: int, stride: Any) -> Any:
        """The address of one of several things that are `stride` bytes apart."""
        if isinstance(stride, int):
            stride = _int64(stride)
        return self.builder.add(address, self.builder.mul(stride, _int64(index)))

    def load(self, address: Any, of: ir.Type, align: int = 4) -> Any:
        value = self.builder.load(self.builder.inttoptr(address, of.as_pointer()))
        value.align = align
        return value

    def store(self, value: Any, address: Any) -> None:
        to = self.builder.inttoptr(address, value.type.as_pointer())
        self.builder.store(value, to).align = 4

    def everywhere(self, value: Any, of: ir.VectorType) -> Any:
        """A vector of one value."""
        nothing = ir.Constant(of, ir.Undefined)
        first = self.builder.insert_element(nothing, value, _int32(0))
        lanes = ir.Constant(ir.VectorType(_int32, of.count), [0] * of.count)
        return self.builder.shuffle_vector(first, nothing, lanes)

    def pairwise(self, one: Any, other: Any) -> Any:
        """Products of 16-bit integers, neighbours added."""
        return self.builder.call(self._pairwise, [one, other])

    def fused(self, one: Any, other: Any, added: Any) -> Any:
        """one × other + added, rounded once: in every tile alike."""
        return self.builder.call(self._fused, [one, other, added])


def _generate(  # noqa: PLR0917
    write: _Writer,
    rows: int,
    x: Any,
    x_row: Any,
    weights: Any,
    pairs: Any,
    row_scales: Any,
    column_scales: Any,
    start: Any,
    start_row: Any,
    out: Any,
    out_row: Any,
) -> None:
    builder = write.builder
    xs = [write.at(x, row, x_row) for row in range(rows)]
    before = builder.block
    loop, behind = builder.append_basic_block("pairs"), builder.append_basic_block("sums")
    builder.branch(loop)
    builder.position_at_end(loop)
    pair = builder.phi(_int64)
    pair.add_incoming(_int64(0), before)
    held = [[builder.phi(_ints) for _ in range(_VECTORS)] for _ in range(rows)]
    columns = builder.add(weights, builder.mul(pair, _int64(_VECTORS * _VECTOR_BYTES)))
    factors = [
        write.load(write.at(columns, vector, _VECTOR_BYTES), _shorts, _VECTOR_BYTES)
        for vector in range(_VECTORS)
    ]
    sums: list[list[Any]] = []
    for row in range(rows):
        own = write.load(builder.add(xs[row], builder.mul(pair, _int64(4))), _int32)
        own = builder.bitcast(write.everywhere(own, _ints), _shorts)
        sums.append([])
        for vector in range(_VECTORS):
            total = builder.add(held[row][vector], write.pairwise(own, factors[vector]))
            held[row][vector].add_incoming(ir.Constant(_ints, [0] * _LANES), before)
            held[row][vector].add_incoming(total, loop)
            sums[row].append(total)
    following = builder.add(pair, _int64(1))
    pair.add_incoming(following, loop)
    builder.cbranch(builder.icmp_signed("<", following, pairs), loop, behind)
    builder.position_at_end(behind)
    scales = [
        write.load(write.at(column_scales, vector, _VECTOR_BYTES), _floats)
        for vector in range(_VECTORS)
    ]
    for row in range(rows):
        scale = write.everywhere(write.load(write.at(row_scales, row, 4), _float), _floats)
        for vector in range(_VECTORS):
            total = builder.sitofp(sums[row][vector], _floats)
            added = write.load(
                write.at(write.at(start, row, start_row), vector, _VECTOR_BYTES), _floats
            )
            both = builder.fmul(scale, scales[vector])
            result = write.fused(total, both, added)
            write.store(result, write.at(write.at(out, row, out_row), vector, _VECTOR_BYTES))
