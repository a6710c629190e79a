"""Workload d: a clip every two seconds while a long recording runs, beside its time alone."""

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.measuring.figures import median, percentile
from benchmarks.measuring.recordings import clip_of, long_recording
from benchmarks.measuring.tables import table
from benchmarks.systems.contenders import graph
from benchmarks.systems.graph_client import GraphClient

CLIP_S = 5.0
EVERY_S = 2.0
ALONE = 20
TIMES_OVER = 3

_MAX_CLIPS = 600
"""More are not sent, whatever runs beside them: a load has to end by itself."""


def clips_beside_a_long_recording(rounds: int) -> dict[str, Any]:
    """Times of the clip alone and beside the recording, in seconds. Raises NoSpeech.

    A round has a dozen clips, whose 95th percentile is the slowest of them: those of all rounds
    are taken together.
    """
    clip, recording = clip_of(CLIP_S), long_recording()
    with graph() as running:
        client = running.client
        alone = clip_times(client, clip.path, lambda sent: sent < ALONE)
        beside: list[float] = []
        took: list[float] = []
        for _ in range(rounds):
            with ThreadPoolExecutor(1) as pool:
                began = time.monotonic()
                long = pool.submit(_times_over, client, recording.path)
                time.sleep(EVERY_S)
                beside += clip_times(client, clip.path, partial(_runs, long))
                long.result()
                took.append(time.monotonic() - began)
    found = {
        "clip_s": clip.seconds,
        "alone": alone,
        "beside": beside,
        "p95_alone": percentile(alone, 0.95),
        "p95_beside": percentile(beside, 0.95),
        "times_alone": percentile(beside, 0.95) / median(alone),
        "long_s": median(took),
    }
    print(f"\n(d) a clip of {clip.seconds:.1f} s every {EVERY_S:.0f} s, and a long recording")
    print(
        table(
            ["", "clips", "median, s", "p95, s", "worst, s"],
            [
                ["alone", len(alone), median(alone), percentile(alone, 0.95), max(alone)],
                ["beside", len(beside), median(beside), percentile(beside, 0.95), max(beside)],
            ],
        )
    )
    print(f"p95 beside the long recording: {found['times_alone']:.2f} × the median alone")
    print(f"The long recording, {TIMES_OVER} times over: {median(took):.1f} s")
    return found


def clip_times(client: GraphClient, path: Path, more: Callable[[int], bool]) -> list[float]:
    """Send a clip every EVERY_S seconds while `more(sent)`, whether or not earlier ones are
    answered, and return how long each took."""

    def one() -> float:
        began = time.monotonic()
        client.transcribe(path, language="en")
        return time.monotonic() - began

    answers: list[Future[float]] = []
    due = time.monotonic()
    with ThreadPoolExecutor(64) as pool:
        while more(len(answers)) and len(answers) < _MAX_CLIPS:
            answers.append(pool.submit(one))
            due += EVERY_S
            time.sleep(max(0.0, due - time.monotonic()))
    return [answer.result() for answer in answers]


def _runs(long: Future[None], _: int) -> bool:
    return not long.done()


def _times_over(client: GraphClient, path: Path) -> None:
    for _ in range(TIMES_OVER):
        client.transcribe(path, language="en")
