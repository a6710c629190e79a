"""Speaker embeddings of every chunk from one pass of the network over the recording's speech.

pyannote cuts a recording into 10 s chunks that overlap, and embeds each local speaker of each
chunk: every second passes the embedding network ten times or more. Here speech passes once,
in blocks, and silence does not. A chunk's speaker is the mean and standard deviation of the
frames in which that speaker talks, projected as the network projects them. Frames see little
beyond their own time, so which chunk or speaker they are pooled for makes no difference.
"""

from collections import deque
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from deployments.diarization.grid import Grid, UInt8, at_once, frames_of, lone, talks
from deployments.diarization.networks.waveforms import pieces
from deployments.diarization.networks.workers import Workers
from interchange.stages import SAMPLE_RATE, Float32

_CHUNKS_TOGETHER = {"cpu": 8, "cuda": 128}
"""Chunks whose frames are at hand, and are pooled, at once."""
_CPU_S = 16
"""Seconds that pass the trunk together on a CPU: more no longer fit its cache."""


Chunks = npt.NDArray[np.intp]
"""The numbers of some chunks, ascending."""


class Trunk(Protocol):
    """An embedding network in two steps, so that speakers and chunks share the first.

    `hop` is samples between two frames, `block` how many frames it is given at once, `reach`
    the samples that the last one sees beyond its own hop.
    """

    hop: int
    block: int
    reach: int
    dimension: int

    def frames(self, waveforms: Tensor) -> Tensor:
        """(blocks, frames × hop + reach) → (blocks, frames, channels), float32."""
        ...

    def embed(self, statistics: Tensor) -> Tensor:
        """(rows, 2 × channels), means and then deviations → (rows, dimension)."""
        ...


class SpeakerEmbedder:
    """Embeds the speakers of a recording's chunks; `batch_size` blocks pass the trunk at once."""

    def __init__(
        self,
        trunk: Trunk,
        device: torch.device,
        batch_size: int,
        workers: Workers | None = None,
    ) -> None:
        self._trunk = trunk
        self._workers = workers or Workers()
        self._device = device
        if device.type == "cpu":
            block_s = trunk.block * trunk.hop / SAMPLE_RATE
            batch_size = max(1, min(batch_size, int(_CPU_S / block_s)))
        self._batch_size = batch_size
        self._together = _CHUNKS_TOGETHER[device.type]

    @property
    def dimension(self) -> int:
        return self._trunk.dimension

    @torch.inference_mode()
    def embed(
        self, waveform: Tensor, masks: UInt8, grid: Grid, progress: Callable[[int, int], None]
    ) -> Float32:
        """(chunks, speakers, dimension) embeddings; NaN where a speaker is silent.

        `waveform` is (samples,) int16 at 16 kHz. `masks` is (chunks, frames, speakers), 1 where
        a speaker talks. `progress` is called with (done, total) chunks; what it raises ends the
        work.
        """
        chunks, _, speakers = masks.shape
        if not masks.any():
            return np.full((chunks, speakers, self.dimension), np.nan, np.float32)
        blocks = _Blocks(self._trunk, grid, len(waveform), masks)
        with closing(self._passed(waveform, blocks)) as batches:
            embeddings = self._embedded(batches, blocks, masks, progress)
        progress(chunks, chunks)
        embeddings[~talks(masks)] = np.nan
        return embeddings

    def _embedded(
        self,
        batches: Iterator[Tensor],
        blocks: "_Blocks",
        masks: UInt8,
        progress: Callable[[int, int], None],
    ) -> Float32:
        """(chunks, speakers, dimension) by what passed the trunk."""
        (heard,) = np.nonzero(masks.any(axis=(1, 2)))
        # What the chunks at hand need of the trunk's output: blocks from `first` on.
        kept: list[Tensor] = []
        first, known = 0, 0
        found: list[Tensor] = []
        pace = _Pace(self._device)
        for at in range(0, len(heard), self._together):
            some = heard[at : at + self._together]
            progress(int(some[0]), len(masks))
            wanted = blocks.of_chunks(some)
            while kept and first + len(kept[0]) <= wanted.start:
                first += len(kept.pop(0))
            while known < wanted.stop:
                kept.append(next(batches))
                known += len(kept[-1])
            frames = torch.cat(kept).flatten(0, 1) if kept else None
            found.append(self._pooled(frames, blocks, first, masks[some], some))
            pace.keep()
        embeddings = np.full((*masks.shape[::2], self.dimension), np.nan, np.float32)
        embeddings[heard] = torch.cat(found).cpu().numpy()
        return embeddings

    def _passed(self, waveform: Tensor, blocks: "_Blocks") -> Generator[Tensor]:
        """(blocks, frames, channels) of one batch of blocks after the other."""
        hop, samples = self._trunk.hop, blocks.length * self._trunk.hop + self._trunk.reach

        def passed(begin: int) -> Tensor:
            starts = blocks.starts[begin : begin + self._batch_size] * hop
            return self._trunk.frames(pieces(waveform, starts.tolist(), samples, self._device))

        return self._workers.map(passed, range(0, len(blocks.starts), self._batch_size))

    def _pooled(
        self, frames: Tensor | None, blocks: "_Blocks", first: int, masks: UInt8, some: Chunks
    ) -> Tensor:
        """(chunks, speakers, dimension) of some chunks."""
        if frames is None:
            shape = (len(masks), masks.shape[2], self.dimension)
            return torch.zeros(shape, device=self._device)
        places, seen = blocks.places(some)
        places = places - first * blocks.length
        # Frames outside all blocks have no weight; any other may stand for them.
        absent = (places < 0) | (places >= len(frames))
        weights = masks[:, seen].transpose(0, 2, 1) * ~absent[:, None]
        statistics = pool(
            frames[torch.from_numpy(np.where(absent, 0, places)).to(self._device)],
            torch.from_numpy(weights).to(self._device).float(),
        )
        rows = self._trunk.embed(statistics.flatten(0, 1))
        return rows.view(masks.shape[0], masks.shape[2], -1)


class _Blocks:
    """Which stretches of a recording pass the trunk, and where each frame is found then.

    `starts` are their first frames, in order; all are `length` frames long.
    """

    def __init__(self, trunk: Trunk, grid: Grid, samples: int, masks: UInt8) -> None:
        self._grid, self._hop = grid, trunk.hop
        frames = max(1, -(-samples // trunk.hop))
        self.length = min(trunk.block, frames)
        # A frame of the trunk belongs to the frame of segmentation with the nearest middle.
        self._offset = (trunk.hop - grid.field) / 2
        spoken = grid.united(at_once(masks) > 0)
        nearest = np.rint((np.arange(frames) * trunk.hop + self._offset) / grid.hop)
        needed = np.flatnonzero(spoken[nearest.clip(0, len(spoken) - 1).astype(np.intp)])
        self.starts = np.array(_cover(needed, self.length, frames), np.int64)
        self._place = np.full(frames, -1, np.int64)
        for number, start in enumerate(self.starts):
            self._place[start : start + self.length] = np.arange(self.length) + (
                number * self.length
            )

    def _begin(self, chunk: np.intp) -> int:
        return round(chunk * self._grid.step_samples / self._hop)

    @property
    def _of_chunk(self) -> int:
        return round(self._grid.chunk / self._hop)

    def of_chunks(self, some: Chunks) -> slice:
        """The blocks that the chunks touch, and what is between them."""
        begin, end = self._begin(some[0]), self._begin(some[-1]) + self._of_chunk
        return slice(
            int(np.searchsorted(self.starts, begin - self.length, "right")),
            int(np.searchsorted(self.starts, end)),
        )

    def places(self, some: Chunks) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.intp]]:
        """(chunks, frames of the trunk): each frame's place among those of all blocks, less
        than 0 where there is none; and (frames of the trunk,): the nearest frame of
        segmentation."""
        within = np.arange(self._of_chunk)
        at = np.array([self._begin(chunk) for chunk in some])
        frames = at[:, None] + within
        places = self._place[np.minimum(frames, len(self._place) - 1)]
        nearest = np.rint((within * self._hop + self._offset) / self._grid.hop)
        return (
            np.where(frames < len(self._place), places, -1),
            nearest.clip(0, self._grid.frames - 1).astype(np.intp),
        )


def _cover(needed: npt.NDArray[np.intp], length: int, frames: int) -> list[int]:
    """Beginnings of stretches of `length` frames that hold all `needed` ones."""
    starts = []
    at = 0
    while at < len(needed):
        start = min(int(needed[at]), frames - length)
        starts.append(start)
        at = int(np.searchsorted(needed, start + length))
    return starts


class _Pace:
    """Keeps the host from running more than a piece of work ahead of a GPU.

    A recording's whole work would be queued within moments, and nothing could end it then.
    """

    def __init__(self, device: torch.device) -> None:
        self._queued: deque[torch.cuda.Event] = deque()
        self._gpu = device.type == "cuda"

    def keep(self) -> None:
        if self._gpu:
            event = torch.cuda.Event()  # type: ignore[no-untyped-call]
            event.record()
            self._queued.append(event)
            if len(self._queued) > 2:
                self._queued.popleft().synchronize()


def alone(masks: UInt8, least: int) -> UInt8:
    """Masks without the frames in which several talk, unless `least` or fewer are left.

    (chunks, frames, speakers). Overlapped speech blurs an embedding, but too little clean
    speech is not enough for one.
    """
    clean = lone(masks)
    chosen: UInt8 = np.where(frames_of(clean)[:, None] > least, clean, masks)
    return chosen


def pool(frames: Tensor, weights: Tensor) -> Tensor:
    """(chunks, frames, channels) under (chunks, speakers, frames) → (chunks, speakers, 2 ×
    channels); zeros under a mask of zeros.

    Means, then standard deviations with Bessel's correction, as the networks were trained with.
    """
    total = weights.sum(dim=2, keepdim=True)
    least = total.clamp(min=1)
    mean = weights @ frames / least
    # Deviations from the mean of all frames: squares of raw values would cancel badly.
    centre = frames.mean(dim=1, keepdim=True)
    squares = weights @ (frames - centre).square() / least
    variance = (squares - (mean - centre).square()).clamp(min=0)
    variance = variance * total / (total - 1).clamp(min=1)
    return torch.cat([mean, variance.sqrt()], dim=2)
