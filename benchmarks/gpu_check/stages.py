"""What each stage takes by itself: a batch of the encoder, a step, a pass, a window's load."""

from functools import partial
from typing import Any

import numpy as np
import torch

from benchmarks.gpu_check.measuring import milliseconds
from benchmarks.gpu_check.scripted import SECONDS, noise
from deployments.graphs import Graphs
from deployments.recognition.build import operations
from deployments.recognition.captured import state as fields
from deployments.recognition.captured.batch import CapturedBatch
from deployments.recognition.captured.events import stream
from deployments.recognition.captured.lanes import CapturedLanes
from deployments.recognition.model.whisper import WhisperModel
from deployments.recognition.window.questions import Piece
from interchange.stages import Window


def ceilings(device: torch.device) -> dict[str, float]:
    """What the card itself does: copies, and a product of large matrices."""
    a = torch.randn(8192, 8192, device=device, dtype=torch.float16)
    b = torch.randn_like(a)
    product = milliseconds(lambda: a @ b, device)
    x = torch.empty(1 << 30, dtype=torch.uint8, device=device)
    y = torch.empty_like(x)
    copy = milliseconds(lambda: y.copy_(x), device)
    return {"product_tflops": 2 * 8192**3 / product / 1e9, "copy_gb_s": 2 * 2**30 / copy / 1e6}


def stages(model: WhisperModel, slots: int, rows: list[int]) -> dict[str, Any]:
    device, found = model.device, dict[str, Any]()
    with torch.inference_mode(), torch.cuda.stream(stream(device)):
        lanes = CapturedLanes(model, silent_suffix=True, graphs=model.policy.graphs)
        audio = noise(SECONDS)
        window = Window(0, 0, audio, ((0, len(audio)),))
        pieces = [(window, Piece(0, len(audio)))]
        [held] = lanes.beside(pieces).result()
        positions = len(held.output)
        found["encoder_ms_a_window"] = {
            count: milliseconds(partial(lanes._run, count, positions), device) / count
            for count in (1, 2, 4, 8)
            if count <= lanes.together
        }
        batch = CapturedBatch(
            model, slots, operations(model.policy), Graphs(enabled=model.policy.graphs)
        )
        if device.type == "cuda":
            torch.cuda.synchronize()
        taken = [batch.take() for _ in range(slots)]
        for slot in taken:
            batch.load(slot, held)
        found["load_ms"] = milliseconds(lambda: batch.load(taken[0], held), device)
        found["step_ms"] = {count: _step(batch, count) for count in rows if count <= slots}
        found["align_ms"] = {}
        for count, texts in ((1, 128), (4, 128)):
            told = batch._told([(slot.number, [300] * texts, 4) for slot in taken[:count]])
            found["align_ms"][f"{count}x{texts}"] = milliseconds(
                partial(batch._costs, told), device
            )
            found["align_ms"][f"read {count}x{texts}"] = milliseconds(
                partial(batch._read, told), device
            )
    return found


def _step(batch: CapturedBatch, rows: int) -> float:
    """At the 60th token, again and again."""
    state = batch.state
    control = np.zeros((rows, fields.CONTROL), np.int32)
    control[:, fields.SLOT] = np.arange(rows)
    state.control[:rows].copy_(torch.from_numpy(control))

    def step() -> None:
        state.positions[:rows] = 60
        batch._graphs.run(("step", rows), lambda: batch._decoder.step(rows))

    state.done[:rows] = 0
    return milliseconds(step, state.device)
