"""The embedding step of pyannote's own models, with each chunk passed through the network once.

pyannote's pipeline asks for the embedding of every local speaker of a chunk apart, and so runs
the whole network three times over the same samples. Its networks can be asked in two steps,
frames and then their pooling under a speaker's mask; the results are the same.
"""

from itertools import pairwise

import torch
from pyannote.audio.pipelines.speaker_verification import PyannoteAudioPretrainedSpeakerEmbedding
from torch import Tensor

from interchange.stages import Float32


class ShareChunks(PyannoteAudioPretrainedSpeakerEmbedding):
    """Takes the place of a pipeline's embedding step; `model` offers `forward_frames` and
    `forward_embedding`, as pyannote's WeSpeaker networks do."""

    @staticmethod
    def fits(model: object) -> bool:
        return hasattr(model, "forward_frames") and hasattr(model, "forward_embedding")

    @torch.inference_mode()
    def __call__(self, waveforms: Tensor, masks: Tensor | None = None) -> Float32:
        """(rows, 1, samples) and (rows, frames) → (rows, dimension).

        Rows of one chunk follow each other, as pyannote's pipeline passes them.
        """
        if masks is None:
            whole: Float32 = super().__call__(as_float(waveforms))
            return whole
        repeats = [torch.equal(row, before) for before, row in pairwise(waveforms)]
        first_rows = ~torch.tensor([False, *repeats])
        chunk_of_row = first_rows.cumsum(0) - 1
        chunks = as_float(waveforms[first_rows].to(self.device))
        frames = self.model_.forward_frames(chunks)[chunk_of_row]
        rows = self.model_.forward_embedding(frames, weights=masks.to(self.device))
        embeddings: Float32 = rows.cpu().numpy()
        return embeddings


def as_float(waveforms: Tensor) -> Tensor:
    """Batches become float where they are used: the recording itself stays int16."""
    return waveforms.float() / 32768 if waveforms.dtype == torch.int16 else waveforms
