"""Workload e: a recording of hours. Does memory stay bounded, and do words come early?"""

import math
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.measuring.memory import PeakMemory
from benchmarks.measuring.recordings import long_recording, repeated
from benchmarks.measuring.tables import percent, table
from benchmarks.measuring.text_errors import word_error_rate
from benchmarks.systems.contenders import graph

_MB = 1e6


def hours_of_speech(hours: float) -> dict[str, Any]:
    """Stream a recording that repeats the long one for at least so many hours.

    Raises NoSpeech.
    """
    recording = long_recording()
    times = math.ceil(hours * 3600 / recording.seconds)
    length = times * recording.seconds
    with tempfile.TemporaryDirectory(prefix="rayscribe-bench-") as folder:
        path = repeated(recording.path, times, Path(folder) / "hours.mka")
        with graph() as running:
            idle = running.memory
            with PeakMemory(running.process) as peak:
                streamed = running.client.stream(path, language="en")
    growth = peak.bytes - idle
    errors = word_error_rate([(" ".join([recording.text] * times), streamed.text)])
    found = {
        "audio_s": length,
        "seconds": streamed.total_s,
        "first_words_s": streamed.first_words_s,
        "idle_bytes": idle,
        "growth_bytes": growth,
        "wer": errors,
    }
    print(f"\n(e) a recording of {length / 3600:.2f} h")
    print(
        table(
            ["wall, s", "× real time", "first words, s", "WER", "idle, MB", "growth, MB"],
            [
                [
                    streamed.total_s,
                    length / streamed.total_s,
                    streamed.first_words_s,
                    percent(errors),
                    round(idle / _MB),
                    round(growth / _MB),
                ]
            ],
        )
    )
    return found
