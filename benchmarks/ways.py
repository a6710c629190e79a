"""Word errors by the way of a CPU, and by that of a GPU, on this CPU: `python -m benchmarks.ways`.

Both decode with the bundled model. A GPU's way encodes windows in batches of few lengths, reads
silence ungrouped, and steps through prompts; here it does so with torch's own operations, in
float32. What a GPU's half precision adds, `make gpu-check` counts there.
"""

from collections.abc import Sequence
from typing import Annotated, Any

import torch
import typer

from benchmarks.measuring.recordings import Spoken, cut, spoken, waveform
from benchmarks.measuring.tables import Cell, table
from benchmarks.measuring.text_errors import word_errors
from configs.settings import AudioSettings
from deployments.models.resolve import resolve
from deployments.recognition.build import engine_of, operations
from deployments.recognition.device import DevicePolicy, Way
from deployments.recognition.fair_queue import FairQueue
from deployments.recognition.model.whisper import WhisperModel
from interchange.stages import RecognitionOptions, Window

WAYS: tuple[Way, ...] = ("ragged", "captured")
SLOTS = 8


def main(
    folders: Annotated[
        str, typer.Option(help="Folders of recordings, separated by commas.")
    ] = "en,multi,long",
) -> None:
    """Count errors over all recordings, language by language, in the two ways."""
    torch.set_num_threads(1)
    chosen = [each for folder in folders.split(",") for each in spoken(folder)]
    windows = [cut(waveform(each.path), AudioSettings()) for each in chosen]
    counted = {way: _errors(way, chosen, windows) for way in WAYS}
    groups = sorted({_group(each) for each in chosen})
    rows: list[Sequence[Cell]] = []
    for group in [*groups, "all"]:
        members = [i for i, each in enumerate(chosen) if group in (_group(each), "all")]
        words = sum(counted["ragged"][i][1] for i in members)
        rates = [100 * sum(counted[way][i][0] for i in members) / words for way in WAYS]
        rows.append((group, words, *(f"{rate:.1f} %" for rate in rates)))
    print(table(("recordings", "words", "a CPU's way", "a GPU's way"), rows))


def _group(recording: Spoken) -> str:
    return f"{recording.path.parent.name}, {recording.language}"


def _errors(
    way: Way, chosen: Sequence[Spoken], windows: Sequence[Sequence[Window]]
) -> list[tuple[int, int]]:
    """Errors and words of each recording; its language is given."""
    policy = DevicePolicy(torch.device("cpu"), torch.float32, "sdpa", "to compare", way=way)
    do = operations(policy)
    model = WhisperModel.load(resolve("bundled:whisper-base"), policy, do.add_norm)
    engine: Any = engine_of(model, FairQueue(1e9), do, slots=SLOTS)
    tickets = [
        [
            engine.queue.put(window, RecognitionOptions(str(each.path), language=each.language))
            for window in some
        ]
        for each, some in zip(chosen, windows, strict=True)
    ]
    while not all(ticket.future.done() for some in tickets for ticket in some):
        engine.turn()
    found = []
    for each, some in zip(chosen, tickets, strict=True):
        transcripts = [ticket.future.result() for ticket in some]
        heard = "".join(segment.text for t in transcripts for segment in t.segments)
        found.append(word_errors(each.text, heard, each.language))
    return found


if __name__ == "__main__":
    typer.run(main)
