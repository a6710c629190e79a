"""How soon do words come while somebody speaks? `python -m benchmarks.live`.

Recordings are spoken in real time, one behind another with a second of silence between them, to as
many sessions at once as are asked for, each from another recording on. The same audio as a file
says when each word ended, and what errors there are without haste. With `--beside` the long
recording is transcribed meanwhile, again and again. Then silence, noise and music, in which nobody
speaks.
"""

import asyncio
import os
import tempfile
import wave
from contextlib import ExitStack
from difflib import SequenceMatcher
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from benchmarks.live import quiet
from benchmarks.live.beside import LongFile
from benchmarks.measuring import results
from benchmarks.measuring.figures import median, percentile
from benchmarks.measuring.live_client import Heard, speak
from benchmarks.measuring.recordings import NoSpeech, Spoken, clips, long_recording, waveform
from benchmarks.measuring.tables import percent, table
from benchmarks.measuring.text_errors import normaliser, word_error_rate
from benchmarks.systems.graph_client import GraphClient, running_graph
from interchange.samples import as_int16
from interchange.stages import SAMPLE_RATE, Float32

_GAP = np.zeros(SAMPLE_RATE, np.float32)


def main(
    *,
    count: Annotated[int, typer.Option(min=1, help="English utterances, 8 s each in mean.")] = 12,
    sessions: Annotated[int, typer.Option(min=1, help="So many speak at once.")] = 1,
    beside: Annotated[bool, typer.Option(help="The long recording is transcribed too.")] = False,
    quiet_s: Annotated[float, typer.Option(min=0, help="Seconds of what is no speech.")] = 60,
) -> None:
    """Measure delays and word errors of live sessions."""
    try:
        recordings = clips(count)
        file = LongFile(long_recording().path) if beside else None
        music = quiet.music()
    except NoSpeech as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from None
    found: dict[str, Any] = {"load_before": os.getloadavg(), "sessions": sessions}
    with running_graph() as client:
        found["speech"] = _speech(client, recordings, sessions, file)
        if quiet_s:
            found["no_speech"] = quiet.measure(client.service, music, quiet_s)
    found["load_after"] = os.getloadavg()
    typer.echo(f"\nload {found['load_before'][0]:.1f} before, {found['load_after'][0]:.1f} after")
    typer.echo(f"Written to {results.write('live', found)}")


# -------------------------------------------------------------------------------- speech


def _speech(
    client: GraphClient, recordings: list[Spoken], sessions: int, file: LongFile | None
) -> dict[str, Any]:
    orders = [
        recordings[turn * len(recordings) // sessions :]
        + recordings[: turn * len(recordings) // sessions]
        for turn in range(sessions)
    ]
    audio = [
        np.concatenate([part for each in order for part in (waveform(each.path), _GAP)])
        for order in orders
    ]
    references = [" ".join(each.text for each in order) for order in orders]
    files = [_as_file(client, each) for each in audio]

    async def all_at_once() -> list[Heard]:
        return list(
            await asyncio.gather(*(speak(client.service.url, each, "en") for each in audio))
        )

    alone_s = [file.transcribe(client) for _ in range(3)] if file else []
    beside_s: list[float] = []
    with ExitStack() as meanwhile:
        if file:
            beside_s = meanwhile.enter_context(file.again_and_again(client))
        heard = asyncio.run(all_at_once())
    both = list(zip(heard, files, strict=True))
    delays = [d for each, file in both for d in _delays(each.deltas, file)]
    # What whoever waits for whole turns waits for a word.
    turns = [d for each, file in both for d in _delays(each.wholes, file)]
    finals = [d for each in heard for d in each.finals_s]
    figures: dict[str, Any] = {
        "audio_s": sum(map(len, audio)) / SAMPLE_RATE,
        "delta_median_s": median(delays),
        "delta_p95_s": percentile(delays, 0.95),
        "turn_median_s": median(turns),
        "turn_p95_s": percentile(turns, 0.95),
        "completed_median_s": median(finals),
        "completed_p95_s": percentile(finals, 0.95),
        "live_wer": word_error_rate(zip(references, (each.text for each in heard), strict=True)),
        "file_wer": word_error_rate(zip(references, (each["text"] for each in files), strict=True)),
        "failed": [sentence for each in heard for sentence in each.failed],
        "file_alone_s": alone_s,
        "file_beside_s": beside_s,
    }
    print(
        table(
            ["seconds", "median", "p95"],
            [
                ["from a word to its delta", median(delays), percentile(delays, 0.95)],
                ["from a word to its turn's text", median(turns), percentile(turns, 0.95)],
                ["from speech_stopped to completed", median(finals), percentile(finals, 0.95)],
            ],
        )
    )
    print(
        f"word errors of {sessions} live: {percent(figures['live_wer'])}, "
        f"as files: {percent(figures['file_wer'])}"
    )
    if alone_s and beside_s:
        alone, with_them = median(alone_s), median(beside_s)
        print(
            f"the long file alone: {alone:.1f} s; beside {sessions} live: {with_them:.1f} s, "
            f"{with_them / alone:.2f} times that ({len(beside_s)} times)"
        )
    return figures


def _as_file(client: GraphClient, samples: Float32) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="rayscribe-bench-") as folder:
        path = Path(folder) / "spoken.wav"
        with wave.open(str(path), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(SAMPLE_RATE)
            file.writeframes(as_int16(samples).tobytes())
        return client.transcribe(path, language="en", **{"timestamp_granularities[]": "word"})


def _delays(texts: list[tuple[float, str]], file: dict[str, Any]) -> list[float]:
    """From each word's end, by the file's times, to the first of `texts` that has it."""
    normal = normaliser("en")
    spoken = [(normal(word["word"]), word["end"]) for word in file["words"]]
    came = [(normal(word), at) for at, text in texts for word in text.split()]
    pairs = SequenceMatcher(None, [w for w, _ in spoken], [w for w, _ in came], autojunk=False)
    return [
        came[block.b + n][1] - spoken[block.a + n][1]
        for block in pairs.get_matching_blocks()
        for n in range(block.size)
    ]


if __name__ == "__main__":
    typer.run(main)
