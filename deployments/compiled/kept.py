"""Compiled loops, kept in a folder of the cache: a process that starts later finds them there.

Numba has such a cache of its own. It goes by the source of one module, where these call each
other's; it finds no function that holds another compiled one; and two machines that write to a
shared folder at once can get each other's code. Here whatever a function is compiled from is in the
name of its file.
"""

import logging
import os
import pickle
import tempfile
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import numba
import numpy as np
from numba.core.caching import NullCache
from numba.core.compiler import CompileResult
from numba.core.dispatcher import Dispatcher
from numba.core.serialize import dumps

import deployments
from deployments.models.cache import root

log = logging.getLogger(__name__)


def keep(loop: Dispatcher) -> None:
    """Take what a function compiles to from the folder, and put it there where it is missing."""
    if folder() is not None:
        loop._cache = _Kept(loop)  # type: ignore[attr-defined]


@cache
def folder() -> Path | None:
    """Of the present sources and packages; None where nothing may be kept.

    What lies there becomes code of this process: it has to be nobody else's.
    """
    parts = [numba.__version__, np.__version__, *(each.read_text("utf-8") for each in sources())]
    found = root() / "compiled" / _short(*parts)
    try:
        found.mkdir(mode=0o700, parents=True, exist_ok=True)
        ours = found.stat().st_uid == os.getuid()
    except OSError as error:
        log.info("Compiled loops are not kept: %s", error)
        return None
    return found if ours and os.access(found, os.W_OK) else None


def sources() -> list[Path]:
    """Of all loops: those of a stage call those that lie here."""
    return sorted(Path(deployments.__file__).parent.rglob("compiled/*.py"))


class _Kept(NullCache):
    """What a dispatcher asks before it compiles, and tells what it compiled."""

    def __init__(self, loop: Dispatcher) -> None:
        cells = loop.py_func.__closure__ or ()
        self._name = [_name(loop), *(_name(cell.cell_contents) for cell in cells)]

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        target_context.refresh()
        try:
            kept = pickle.loads(self._path(sig, target_context.codegen()).read_bytes())
            return CompileResult._rebuild(target_context, *kept)  # type: ignore[no-untyped-call]
        except FileNotFoundError:
            return None
        except Exception as error:  # noqa: BLE001 - whatever a damaged file makes of itself
            log.warning("A compiled loop cannot be read, and is compiled anew: %r", error)
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        if data.lifted or data.library.has_dynamic_globals:
            return  # such code has addresses of this process in it
        path = self._path(sig, data.codegen)
        try:
            with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
                file.write(dumps(data._reduce()))  # type: ignore[no-untyped-call]
            Path(file.name).replace(path)
        except OSError as error:
            log.warning("A compiled loop cannot be kept: %s", error)

    def _path(self, sig: Any, codegen: Any) -> Path:
        """By the function and what it holds, the types, and the processor with its instructions."""
        folder_ = folder()
        assert folder_ is not None
        return folder_ / _short(*self._name, repr(sig), repr(codegen.magic_tuple()))


def _name(held: object) -> str:
    if isinstance(held, Dispatcher):
        return f"{held.py_func.__module__}.{held.py_func.__qualname__}"
    return repr(held)


def _short(*parts: str) -> str:
    return sha256("\0".join(parts).encode()).hexdigest()[:32]
