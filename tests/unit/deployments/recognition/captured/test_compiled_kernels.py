"""Kernels compile for cards that are not here, and fit into the shared memory of each."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest

pytestmark = pytest.mark.slow

pytest.importorskip("triton", reason="there is no Triton for this machine")

CARDS = {75: 64, 80: 163, 86: 99, 90: 227, 120: 99}
"""Compute capabilities, and the kB of shared memory that one program may have."""

COMPILE = """
import json, sys
from types import SimpleNamespace
import torch, triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from deployments.recognition.captured import product_kernels as products

capability, room = int(sys.argv[1]), 1024 * int(sys.argv[2])
card = SimpleNamespace(shared_memory_per_block_optin=room)
torch.cuda.get_device_properties = lambda device: card
kernel = products._multiply
names = ("x", "weight", "bias", "out")
aligned = {(kernel.arg_names.index(name),): [["tt.divisibility", 16]] for name in names}
asked = {}
for name, outputs, inputs in (
    ("LEVEL", 1280, 1280),
    ("WIDER", 5120, 1280),
    ("LEVEL_ADDED", 1280, 1280),
    ("NARROWER_ADDED", 1280, 5120),
):
    tiles = getattr(products, name)
    for rows in (16, 64):
        x = SimpleNamespace(device=SimpleNamespace(type="cuda"), element_size=lambda: 2)
        fixed = dict(BIASED=True, INPUTS=inputs, OUTPUTS=outputs, GELU=name == "WIDER")
        fixed |= dict(PART=inputs // tiles.parts, IN_PARTS=tiles.parts > 1, ROWS=rows)
        fixed |= dict(COLUMNS=tiles.outputs, DEPTH=tiles.inputs, TURNED=tiles.turned)
        types = dict.fromkeys(kernel.arg_names, "*fp16") | dict.fromkeys(fixed, "constexpr")
        types |= {"rows": "i32", "out": "*fp32" if tiles.parts > 1 else "*fp16"}
        compiled = triton.compile(
            ASTSource(kernel, types, fixed, aligned),
            target=GPUTarget("cuda", capability, 32),
            options={"num_warps": 4, "num_stages": products._stages(x, tiles, rows)},
        )
        asked[f"{name} {rows}"] = compiled.metadata.shared
print(json.dumps(asked))
"""


@pytest.mark.parametrize("capability", CARDS)
def test_products_compile_and_fit(capability: int) -> None:
    room = CARDS[capability]
    environment = {name: it for name, it in os.environ.items() if name != "TRITON_INTERPRET"}
    done = subprocess.run(
        [sys.executable, "-c", COMPILE, str(capability), str(room)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    asked: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    assert len(asked) == 8
    assert max(asked.values()) <= 1024 * room
