"""What each kind of process of a running graph takes of the processor."""

from collections import defaultdict
from collections.abc import Iterator

import psutil

_REPLICA = "ray::ServeReplica:rayscribe:"
KINDS = {
    "ingress": f"{_REPLICA}Ingress",
    "loader": f"{_REPLICA}AudioLoader",
    "recognizers": f"{_REPLICA}SpeechRecognizer",
    "diarizers": f"{_REPLICA}SpeakerDiarizer",
    "proxy": "ray::ProxyActor",
    "controller": "ray::ServeController",
    "jobs": f"{_REPLICA}JobManager",
}
RAY = "Ray's own"
"""The daemons of a node, and whatever else belongs to the service."""

Seconds = dict[str, float]


def processor_seconds(service: int) -> Seconds:
    """What each kind of process has had of the processor, in the service of a process id."""
    found: Seconds = defaultdict(float)
    for process, kind in _members(psutil.Process(service), RAY):
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        # Of children that ended, too: a loader's decode a recording each.
        found[kind] += sum(times[:4])
    return found


def per(units: float, before: Seconds, after: Seconds) -> Seconds:
    """What was taken meanwhile, for each of so many units."""
    return {kind: (after[kind] - before.get(kind, 0.0)) / units for kind in after}


def _members(process: psutil.Process, kind: str) -> Iterator[tuple[psutil.Process, str]]:
    """A process and all below it, each of the kind that its title says, or its parent's."""
    try:
        title = " ".join(process.cmdline())
        children = process.children()
    except psutil.NoSuchProcess:
        return
    kind = next((name for name, begin in KINDS.items() if title.startswith(begin)), kind)
    yield process, kind
    for child in children:
        yield from _members(child, kind)
