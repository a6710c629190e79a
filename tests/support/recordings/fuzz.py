"""Files with faults, decoded: `python -m tests.support.recordings.fuzz COUNT SEED [FOLDER…]`.

By the children that the service decodes with, several at a time. At the end standard output has
how many were decoded, how many refused, and how many ended their child (the numbers of these
before, so that they can be made again), and by how many megabytes this process has grown since a
fifth of them. What is none of that, such as a fault of ours, is an exception and ends it.
"""

import io
import sys
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal

import numpy as np

from deployments.audio.child.children import CRASHES, Children
from deployments.audio.child.decoding import Decoding
from interchange.errors import ClientError
from tests.support.recordings.media import caf, encode, tone, wav

_LONGEST_S = 120.0
_AT_ONCE = 4

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


def main(count: int, seed: int, folders: Sequence[Path]) -> None:
    paths = [path for folder in folders for path in sorted(folder.iterdir()) if path.is_file()]
    files = [data for path in paths if (data := path.read_bytes())] or originals()
    children = Children(_LONGEST_S)

    def outcome(number: int) -> str:
        rng = np.random.default_rng((seed, number))
        data = mutated(files[number % len(files)], files, rng)
        file = (io.BytesIO if rng.random() < 0.7 else _OnlyOn)(data)
        try:
            for block in Decoding(children, _LONGEST_S).decoder(file):
                assert np.isfinite(block).all()
        except ClientError as error:
            if error.message == CRASHES:
                print(f"File {number} ended its child", flush=True)
                return "ended"
            return "refused"
        return "decoded"

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        begun = count // 5
        outcomes = Counter(pool.map(outcome, range(begun)))
        before = _megabytes()
        outcomes += Counter(pool.map(outcome, range(begun, count)))
    children.close()
    print(
        f"{outcomes['decoded']} decoded, {outcomes['refused']} refused, {outcomes['ended']} ended "
        f"their child; grown by {_megabytes() - before:.0f} MB"
    )


def _megabytes() -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), [Path(folder) for folder in sys.argv[3:]])
