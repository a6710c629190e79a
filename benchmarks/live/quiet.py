"""Silence, noise and music in sessions of their own, in which nobody speaks."""

import asyncio
import os
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measuring.live_client import Heard, speak
from benchmarks.measuring.recordings import listed, waveform
from benchmarks.measuring.tables import percent, table
from interchange.stages import SAMPLE_RATE, Float32
from tests.support.running.service import Service

_TICK_S = 1 / os.sysconf("SC_CLK_TCK")
_IDLE_S = 30


def music() -> list[Path]:
    """Recordings of music without singing. Raises NoSpeech."""
    return [each.path for each in listed("hard") if each.name.startswith("music_30s")]


def measure(service: Service, played: list[Path], seconds: float) -> dict[str, Any]:
    """What is heard of each, and what a session of it takes above the idle service. All go on at
    the same time, so that it is their mean."""
    length = round(seconds * SAMPLE_RATE)
    noise = np.random.default_rng(0).normal(0, 0.05, length).astype(np.float32)
    kinds: dict[str, Float32] = {"silence": np.zeros(length, np.float32), "noise": noise}
    if played:
        kinds["music"] = np.resize(np.concatenate([waveform(path) for path in played]), length)

    async def all_at_once() -> list[Heard]:
        speaking = (speak(service.url, samples, None) for samples in kinds.values())
        return list(await asyncio.gather(*speaking))

    before, began = used_s(service), time.monotonic()
    time.sleep(_IDLE_S)
    idle = (used_s(service) - before) / (time.monotonic() - began)
    before, began = used_s(service), time.monotonic()
    heard = asyncio.run(all_at_once())
    above = (used_s(service) - before) / (time.monotonic() - began) - idle
    words = {kind: each.text for kind, each in zip(kinds, heard, strict=True)}
    print("\n" + table(["nobody speaks", "words"], [[k, w or "none"] for k, w in words.items()]))
    print(
        f"{seconds:.0f} s of each at once: {percent(above / len(kinds))} of a core a session "
        f"above the {percent(idle)} of the idle service"
    )
    return {"seconds": seconds, "words": words, "idle": idle, "core": above / len(kinds)}


def used_s(service: Service) -> float:
    """Seconds of processor time of the whole service."""
    total = 0.0
    for process in service.processes():
        try:
            stat = Path(f"/proc/{process}/stat").read_text()
        except OSError:
            continue  # it ended meanwhile
        fields = stat.rpartition(")")[2].split()
        total += (int(fields[11]) + int(fields[12])) * _TICK_S
    return total
