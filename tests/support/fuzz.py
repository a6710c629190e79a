"""Files with faults, decoded one after another: `python -m tests.support.fuzz COUNT SEED [FOLDER]`.

For a process of its own, which a fault in FFmpeg or in its binding may end. Standard output has
the number of each file before it is decoded, so that the last one can be made again, and at the
end how many were decoded and how many refused. What is neither is an exception, and ends it too.
"""

import io
import resource
import sys
from collections import Counter
from pathlib import Path
from typing import Literal

import numpy as np

from deployments.audio.decode import Decoder
from interchange.errors import ClientError
from tests.support.media import caf, encode, tone, wav

_MEMORY = 8 * 2**30  # of addresses: a fault that takes more is one to hear of
_LONGEST_S = 120.0

_MADE = [
    ("wav", "pcm_s16le", 1, 16_000),
    ("wav", "pcm_f32le", 2, 44_100),
    ("wav", "adpcm_ima_wav", 2, 22_050),
    ("aiff", "pcm_s16be", 2, 22_050),
    ("flac", "flac", 1, 16_000),
    ("flac", "flac", 8, 16_000),
    ("mp3", "mp3", 2, 44_100),
    ("adts", "aac", 2, 44_100),
    ("mp4", "aac", 6, 48_000),
    ("mp4", "alac", 2, 44_100),
    ("mov", "pcm_s16le", 3, 16_000),
    ("matroska", "aac", 2, 48_000),
    ("webm", "libopus", 2, 48_000),
    ("ogg", "libopus", 8, 48_000),
    ("ogg", "flac", 2, 16_000),
    ("mpegts", "aac", 2, 48_000),
    ("avi", "mp3", 1, 44_100),
    ("ac3", "ac3", 6, 48_000),
    ("wv", "wavpack", 12, 16_000),
    ("tta", "tta", 9, 16_000),
    ("caf", "pcm_s16be", 2, 16_000),
    ("w64", "pcm_s24le", 2, 48_000),
    ("au", "pcm_mulaw", 1, 8_000),
]


def originals() -> list[bytes]:
    """Small files of many kinds, without a fault."""
    made = []
    for container, codec, channels, rate in _MADE:
        planes = np.stack([tone(0.4, 200 + 50 * i, rate) for i in range(channels)])
        made.append(encode(planes, container, codec, rate=rate))
    pair = [tone(0.4, 300), tone(0.4, 500)]
    made += [
        made[4] + made[5],
        made[13] + made[14] + made[12],
        wav(np.stack(pair * 8)) + wav(pair[0], announced=100) + wav(np.stack(pair)),
        encode(pair, "mp4", "aac"),
        encode(pair, "matroska", "flac"),
        caf(np.stack(pair * 2), (3, 1, 2, 4)),
    ]
    return made


def mutated(data: bytes, others: list[bytes], rng: np.random.Generator) -> bytes:
    """`data` with a few faults of different kinds."""
    made = bytearray(data)
    for _ in range(rng.integers(1, 4)):
        size = len(made)
        # Headers are where it hurts.
        at = int(rng.integers(0, min(size, 600) if rng.random() < 0.7 else size)) if size else 0
        length = int(rng.integers(1, 1 + min(200, max(size - at, 1))))
        match rng.integers(8):
            case 0:
                made[at : at + 1] = rng.bytes(1)
            case 1:
                made[at : at + length] = rng.bytes(length)
            case 2:
                made[at : at + length] = bytes(length)
            case 3:
                made[at : at + 4] = int(rng.choice(_NUMBERS)).to_bytes(4, _order(rng))
            case 4:
                del made[at : at + length]
            case 5:
                made[at:at] = made[at : at + length] * int(rng.integers(1, 20))
            case 6:
                other = others[rng.integers(len(others))]
                start = int(rng.integers(len(other)))
                made[at:at] = other[start : start + int(rng.integers(1, 2000))]
            case _:
                del made[max(at, 1) :]
    return bytes(made)


_NUMBERS = np.array([0, 1, 2, 7, 8, 9, 64, 65, 255, 513, 65_535, 2**31 - 1, 2**31, 2**32 - 1])


def _order(rng: np.random.Generator) -> Literal["little", "big"]:
    return "little" if rng.random() < 0.5 else "big"


class _OnlyOn(io.BytesIO):
    def seekable(self) -> bool:
        return False


def main(count: int, seed: int, folder: Path | None) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    files = originals() if folder is None else [p.read_bytes() for p in sorted(folder.iterdir())]
    outcomes: Counter[str] = Counter()
    for number in range(count):
        print(number, flush=True)
        rng = np.random.default_rng((seed, number))
        data = mutated(files[number % len(files)], files, rng)
        file = (io.BytesIO if rng.random() < 0.7 else _OnlyOn)(data)
        try:
            for block in Decoder(file, max_duration_s=_LONGEST_S):
                assert np.isfinite(block).all()
            outcomes["decoded"] += 1
        except ClientError:
            outcomes["refused"] += 1
    print(f"{outcomes['decoded']} decoded, {outcomes['refused']} refused")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]) if len(sys.argv) > 3 else None)
