"""Make torchaudio importable beside a torch for CPUs.

The package index has torchaudio for CUDA only. Its compiled extension links against CUDA's
libraries and cannot load beside a torch for CPUs, and torchaudio takes that for a broken
installation: the import fails. It does import, without the extension's few functions (forced
alignment, recurrent transducer loss), where the extension is not there at all. Nothing that
pyannote.audio calls needs it, so it is set aside under another name.
"""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

_ASIDE = ".set-aside"


def mend() -> str:
    """Set the extension aside if torchaudio cannot be imported; return a sentence on it.

    Does nothing where the import works, so it may run after every installation. Raises
    RuntimeError where torchaudio is not importable for another reason.
    """
    spec = find_spec("torchaudio")
    if spec is None or spec.origin is None:
        raise RuntimeError("torchaudio is not installed: install requirements.lock first.")
    if _import_error() is None:
        return "torchaudio imports as it is."
    libraries = sorted((Path(spec.origin).parent / "lib").glob("*.so"))
    for library in libraries:
        library.rename(library.with_name(library.name + _ASIDE))
    if error := _import_error():
        for library in libraries:
            library.with_name(library.name + _ASIDE).rename(library)
        raise RuntimeError(f"torchaudio cannot be imported, with or without its library: {error}")
    return f"torchaudio is for CUDA and torch is not: set {len(libraries)} libraries aside."


def _import_error() -> str | None:
    """The last line of the error that `import torchaudio` meets in a fresh process."""
    done = subprocess.run(
        [sys.executable, "-c", "import torchaudio"], capture_output=True, text=True, check=False
    )
    if done.returncode == 0:
        return None
    lines = done.stderr.strip().splitlines() or [f"the process ended with {done.returncode}"]
    return lines[-1]
