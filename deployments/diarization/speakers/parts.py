"""Local speakers of a chunk who are two people.

Over a telephone, in an echo, and where voices are alike, segmentation takes people who speak one
after the other for one. Their embedding is then a mixture that is like nobody's. So what a local
speaker says alone in each 2 s of a chunk is embedded as well (the trunk has seen it anyway), and
where these parts are unlike each other they go apart, before speakers are clustered.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.cluster.hierarchy import fcluster, linkage

from deployments.diarization.grid import Grid, UInt8, frames_of, lone
from deployments.diarization.speakers.clustering import unit
from interchange.stages import SAMPLE_RATE, Float32

_PARTS = 5
"""Of a chunk of 10 s."""
_LEAST_S = 0.8
"""Less than so much speech says too little of a voice."""

Owners = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Parting:
    """Parts of a local speaker that are less alike than `same` (a cosine, by average linkage) are
    of two people."""

    same: float

    def masks(self, masks: UInt8) -> UInt8:
        """(chunks, frames, local speakers) → (chunks, frames, parts): in each part, where the one
        talks who is alone in it for longest."""
        clean = lone(masks)
        owners = _frames_of_parts(clean).argmax(axis=2)
        found = np.zeros((*masks.shape[:2], _PARTS), np.uint8)
        chunks = np.arange(len(masks))
        for number, part in enumerate(_parts(masks.shape[1])):
            found[:, part, number] = clean[chunks, part, owners[:, number]]
        return found

    def split(
        self, masks: UInt8, embeddings: Float32, parts: Float32, grid: Grid
    ) -> tuple[UInt8, Float32]:
        """Masks and embeddings, (chunks, local speakers, dimension), of local speakers who are one
        person each: who was split is silent, and stands as two or more behind the others.

        `parts` is (chunks, parts, dimension), of `self.masks`; NaN for silent ones.
        """
        frames = _frames_of_parts(lone(masks))
        owners = frames.argmax(axis=2)
        seconds = frames.max(axis=2) * np.float32(grid.hop / SAMPLE_RATE)
        enough = (seconds >= _LEAST_S) & ~np.isnan(parts[..., 0])
        voices = unit(np.nan_to_num(parts))
        off: list[tuple[int, int, Float32, UInt8]] = []
        masks, embeddings = masks.copy(), embeddings.copy()
        alike = np.einsum("cpd,cqd->cpq", voices, voices)
        pairs = (owners[:, :, None] == owners[:, None]) & enough[:, :, None] & enough[:, None]
        for chunk in np.flatnonzero((pairs & (alike < self.same)).any(axis=(1, 2))):
            column = 0
            for local in np.unique(owners[chunk]):
                (own,) = np.nonzero(enough[chunk] & (owners[chunk] == local))
                if len(own) < 2:
                    continue
                groups = self._groups(voices[chunk, own])
                if groups.max() == 0:
                    continue
                whole = masks[chunk, :, local].copy()
                masks[chunk, :, local], embeddings[chunk, local] = 0, np.nan
                for group in range(groups.max() + 1):
                    some = own[groups == group]
                    voice = (voices[chunk, some] * seconds[chunk, some][:, None]).sum(axis=0)
                    mask = whole * _nearest(own, groups == group, len(whole))
                    off.append((int(chunk), column, voice, mask))
                    column += 1
        return _joined(masks, embeddings, off)

    def _groups(self, voices: Float32) -> Owners:
        tree = linkage(voices, "average", metric="cosine")
        found: Owners = fcluster(tree, 1 - self.same, criterion="distance").astype(np.intp) - 1
        return found


def _frames_of_parts(clean: UInt8) -> npt.NDArray[np.uint16]:
    """(chunks, parts, local speakers): for how many frames each is alone in each part."""
    return np.stack([frames_of(clean[:, part]) for part in _parts(clean.shape[1])], axis=1)


def _parts(frames: int) -> list[slice]:
    edges = np.linspace(0, frames, _PARTS + 1).round().astype(int)
    return [slice(edges[part], edges[part + 1]) for part in range(_PARTS)]


def _nearest(own: Owners, members: npt.NDArray[np.bool_], frames: int) -> UInt8:
    """(frames,): 1 in the parts whose nearest one of `own` is a member."""
    found = np.zeros(frames, np.uint8)
    for number, part in enumerate(_parts(frames)):
        found[part] = members[np.abs(own - number).argmin()]
    return found


def _joined(
    masks: UInt8, embeddings: Float32, off: list[tuple[int, int, Float32, UInt8]]
) -> tuple[UInt8, Float32]:
    more = 1 + max((column for _, column, _, _ in off), default=-1)
    if not more:
        return masks, embeddings
    chunks, frames, local = masks.shape
    all_masks = np.zeros((chunks, frames, local + more), np.uint8)
    all_masks[..., :local] = masks
    all_embeddings = np.full((chunks, local + more, embeddings.shape[2]), np.nan, np.float32)
    all_embeddings[:, :local] = embeddings
    for chunk, column, voice, mask in off:
        all_masks[chunk, :, local + column] = mask
        all_embeddings[chunk, local + column] = voice
    return all_masks, all_embeddings
