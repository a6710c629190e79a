"""What the models say of a stretch of a recording, and of all its stretches together."""

import io
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from deployments.diarization.grid import Bool, UInt8, talks
from interchange.stages import Float32


@dataclass(frozen=True, slots=True)
class Analysis:
    """Of consecutive chunks: `masks` (chunks, frames, local speakers), 1 where one talks, and
    `embeddings` (chunks, local speakers, dimension), NaN for those who are silent. There are as
    many local speakers as the chunk with most of them needs. `looked` (chunks,) says which of the
    chunks were looked at: the others stand as silent, and have no vote."""

    masks: UInt8
    embeddings: Float32
    looked: Bool

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """Of one part after the other; those with fewer local speakers get silent ones."""
        most = max(part.masks.shape[2] for part in parts)
        chunks = sum(len(part.masks) for part in parts)
        masks = np.zeros((chunks, parts[0].masks.shape[1], most), np.uint8)
        embeddings = np.full((chunks, most, parts[0].embeddings.shape[2]), np.nan, np.float32)
        first = 0
        for part in parts:
            some, local = slice(first, first + len(part.masks)), part.masks.shape[2]
            masks[some, :, :local], embeddings[some, :local] = part.masks, part.embeddings
            first = some.stop
        return cls(masks, embeddings, np.concatenate([part.looked for part in parts]))

    def pack(self) -> bytes:
        """All of it, bit for bit: about 50 KB a minute of talk."""
        file = io.BytesIO()
        np.savez_compressed(
            file,
            masks=np.packbits(self.masks),
            shape=np.array(self.masks.shape),
            embeddings=self.embeddings[talks(self.masks)],
            looked=self.looked,
        )
        return file.getvalue()

    @classmethod
    def unpack(cls, content: bytes) -> Self:
        """Raises ValueError for what `pack` did not make."""
        try:
            with np.load(io.BytesIO(content)) as found:
                shape = tuple(found["shape"].tolist())
                masks = np.unpackbits(found["masks"], count=int(np.prod(shape))).reshape(shape)
                rows = found["embeddings"]
                looked = found["looked"]
        except (zipfile.BadZipFile, zlib.error, KeyError, EOFError, ValueError) as error:
            raise ValueError(f"This is no analysis of a stretch: {error!r}") from error
        embeddings = np.full((shape[0], shape[2], rows.shape[1]), np.nan, np.float32)
        embeddings[talks(masks)] = rows
        return cls(masks, embeddings, looked)
