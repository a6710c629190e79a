"""Clocks, and results that are kept after each part."""

import gc
import json
import statistics
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch


class Results:
    """Figures by part, written to a file after each; one that fails leaves its error."""

    def __init__(self, path: Path, device: torch.device) -> None:
        self._path, self._begun = path, time.monotonic()
        self.device = device
        self.found: dict[str, Any] = {"torch": torch.__version__, "device": str(device)}
        if device.type == "cuda":
            self.found["card"] = torch.cuda.get_device_name(device)

    def part(self, name: str, work: Callable[[], Any]) -> None:
        begun = time.monotonic()
        try:
            self.found[name] = work()
        except Exception:  # noqa: BLE001 - the other parts go on
            self.found[name] = {"error": traceback.format_exc()[-2000:]}
        took = time.monotonic() - begun
        said = json.dumps(self.found[name], default=str)
        print(
            f"[{time.monotonic() - self._begun:6.1f} s] {name} ({took:.1f} s): {said}", flush=True
        )
        self._path.write_text(json.dumps(self.found, indent=1, default=str))
        free(self.device)

    @property
    def failed(self) -> list[str]:
        return [n for n, part in self.found.items() if isinstance(part, dict) and "error" in part]


def synchronize(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def free(device: torch.device) -> None:
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()


def milliseconds(work: Callable[[], Any], device: torch.device, times: int = 20) -> float:
    """The median time of a piece of work, as the device counts it."""
    for _ in range(2):
        work()
    took = []
    if device.type != "cuda":
        for _ in range(min(times, 3)):
            begun = time.perf_counter()
            work()
            took.append(1e3 * (time.perf_counter() - begun))
        return statistics.median(took)
    events = []
    torch.cuda.synchronize(device)
    for _ in range(times):
        first, last = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]
        first.record()
        work()
        last.record()
        events.append((first, last))
    torch.cuda.synchronize(device)
    return float(statistics.median(first.elapsed_time(last) for first, last in events))


def busy_share(work: Callable[[], Any], device: torch.device) -> dict[str, Any]:
    """The share of the time in which the device does anything, and on what it is spent."""
    from torch.autograd import DeviceType  # type: ignore[attr-defined]  # noqa: PLC0415
    from torch.profiler import ProfilerActivity, profile  # noqa: PLC0415

    with profile(activities=[ProfilerActivity.CUDA]) as found:
        work()
        synchronize(device)
    spans, by_name = [], dict[str, list[float]]()
    for event in found.events():
        if event.device_type != DeviceType.CUDA:
            continue
        spans.append((event.time_range.start, event.time_range.end))
        entry = by_name.setdefault(event.name[:80], [0.0, 0])
        entry[0] += (event.time_range.end - event.time_range.start) / 1e3
        entry[1] += 1
    if not spans:
        return {"share": None}
    spans.sort()
    busy, until = 0.0, spans[0][0]
    for start, end in spans:
        busy += max(0.0, end - max(start, until))
        until = max(until, end)
    wall = spans[-1][1] - spans[0][0]
    largest = sorted(by_name.items(), key=lambda item: -item[1][0])[:25]
    return {
        "share": busy / wall,
        "kernels": len(spans),
        "wall_ms": wall / 1e3,
        "largest_ms": [(name, round(ms, 2), int(count)) for name, (ms, count) in largest],
    }
