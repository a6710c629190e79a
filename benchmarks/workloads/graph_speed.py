"""The graph itself, with an engine that sleeps instead of working: what do Ray, HTTP and the
routing of windows cost, and does one recording use all recognizers?"""

import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from benchmarks.measuring.figures import median
from benchmarks.measuring.recordings import clip_of, long_recording
from benchmarks.measuring.tables import table
from benchmarks.systems.contenders import RunningGraph, graph
from benchmarks.systems.graph_client import PROFILE
from benchmarks.systems.worker import ROOT, Worker

WINDOW_S = 5.0
"""Short windows, so that ten minutes of audio make enough of them, and loading is not what
many replicas wait for."""
SLEEP_S = 1.0

_RUNS = 3


def measure_graph(replicas: list[int]) -> dict[str, Any]:
    """Speed-up over replicas, cost of a window, fairness. Raises NoSpeech."""
    recording = long_recording()
    with Worker("loader", window_s=WINDOW_S) as loader:
        loader.prepare([recording.path])
        loaded = loader.run([recording.path])
    windows = int(loaded.texts[0].split()[0])
    print(f"{windows} windows of up to {WINDOW_S:g} s; loading alone: {loaded.seconds:.1f} s")
    found: dict[str, Any] = {"windows": windows, "loading_s": loaded.seconds, "sleep_s": SLEEP_S}
    found["speed_up"] = _speed_up(replicas, recording.path, windows)
    found["overhead"] = _overhead(recording.path, windows, loaded.seconds)
    return found


def _speed_up(replicas: list[int], path: Path, windows: int) -> list[dict[str, float]]:
    rows: list[dict[str, float]] = []
    for count in replicas:
        with _sleeping(f"sleeping:{SLEEP_S}", count) as running:
            took = [running.run([path]).seconds for _ in range(_RUNS if count > 2 else 1)]
        work = windows * SLEEP_S
        row = {"replicas": count, "seconds": median(took), "busy": work / count / median(took)}
        row["speed_up"] = rows[0]["seconds"] / row["seconds"] if rows else 1.0
        rows.append(row)
        print(f"{count} replicas: {', '.join(f'{each:.1f}' for each in took)} s")
    print(f"\nOne recording, {SLEEP_S:g} s a window")
    print(
        table(
            ["replicas", "wall, s", "speed-up", "replicas busy"],
            [
                [int(r["replicas"]), r["seconds"], r["speed_up"], f"{100 * r['busy']:.0f} %"]
                for r in rows
            ],
        )
    )
    return rows


def _overhead(path: Path, windows: int, loading: float) -> dict[str, float]:
    """With an engine that answers at once, and fairness with one that takes its time."""
    clip = clip_of(5).path
    with _sleeping("sleeping:0", 1) as running:
        whole = running.run([path]).seconds
        requests = sorted(running.run([clip]).seconds for _ in range(30))
    with _sleeping("sleeping:0.5", 1) as running:
        alone = running.run([clip]).seconds
        with ThreadPoolExecutor(3) as pool:
            began = time.monotonic()
            first = pool.submit(_ended, running, path)
            second = pool.submit(_ended, running, path)
            time.sleep(5)
            beside = [running.run([clip]).seconds for _ in range(10)]
            ends = [each.result() - began for each in (first, second)]
    found = {
        "whole_s": whole,
        "window_s": whole / windows,
        "window_over_loading_s": (whole - loading) / windows,
        "request_s": median(requests),
        "clip_alone_s": alone,
        "clip_beside_s": median(beside),
        "twins_apart": abs(ends[0] - ends[1]) / max(ends),
    }
    print("\nAn engine that answers at once, then one that takes 0.5 s a window")
    print(
        table(
            ["", "figure"],
            [
                ["a window of a long recording, all of the graph, ms", 1e3 * found["window_s"]],
                ["the same above loading alone, ms", 1e3 * found["window_over_loading_s"]],
                ["a request with a clip of 5 s, ms", 1e3 * found["request_s"]],
                ["a clip alone, s", alone],
                ["a clip beside two long recordings, s", found["clip_beside_s"]],
                ["two equal recordings end apart, share", found["twins_apart"]],
            ],
        )
    )
    return found


def _ended(running: RunningGraph, path: Path) -> float:
    running.run([path])
    return time.monotonic()


@contextmanager
def _sleeping(model: str, replicas: int) -> Iterator[RunningGraph]:
    """The graph of the laptop's profile with so many recognizers that sleep."""
    profile = yaml.safe_load((ROOT / PROFILE).read_text(encoding="utf-8"))
    application = profile["applications"][0]
    application["args"].update(windows_in_flight=64)
    for deployment in application["deployments"]:
        if deployment["name"] == "SpeechRecognizer":
            deployment["num_replicas"] = replicas
        # Ray's bookkeeping only: all of them have to find a place on any machine.
        deployment["ray_actor_options"]["num_cpus"] = 0
    with tempfile.TemporaryDirectory(prefix="rayscribe-bench-") as folder:
        path = Path(folder) / "profile.yaml"
        path.write_text(yaml.safe_dump(profile), encoding="utf-8")
        env = {
            "RAYSCRIBE_RECOGNITION__MODEL": model,
            "RAYSCRIBE_AUDIO__WINDOW_S": str(WINDOW_S),
        }
        with graph(path, **env) as running:
            yield running
