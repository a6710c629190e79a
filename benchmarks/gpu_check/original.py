"""The original service's method on the same card: transformers' pipeline, chunks of 30 s, 24 at
once, with SDPA."""

import time
from typing import Any

import numpy as np

from benchmarks.gpu_check.measuring import synchronize
from benchmarks.gpu_check.shapes import SHAPES, reference
from benchmarks.gpu_check.subject import Subject

TOKENS_A_CHUNK = 91
CHUNK_S, STRIDE_S, TOGETHER = 30, 5, 24


def pipeline_speed(subject: Subject, shape: str, minutes: float) -> dict[str, Any]:
    """Of a recording of so many minutes, each of whose chunks runs to as many tokens as speech."""
    from transformers import pipeline  # noqa: PLC0415

    device, dtype = subject.device, subject.policy.between
    model, extractor, tokenizer = reference(
        SHAPES["tiny" if subject.small else shape], subject.bundle / "tokenizer", device, dtype
    )
    recognize = pipeline(
        "automatic-speech-recognition",
        model=model,
        tokenizer=tokenizer,
        feature_extractor=extractor,
        device=device,
        dtype=dtype,
    )
    count = 8 if subject.small else TOKENS_A_CHUNK
    options = {
        "task": "transcribe",
        "language": "en",
        "max_new_tokens": count,
        "min_new_tokens": count,
    }
    audio = np.random.default_rng(0).normal(0, 0.1, int(minutes * 60 * 16_000))

    def run(samples: Any) -> None:
        recognize(
            {"raw": samples.astype(np.float32), "sampling_rate": 16_000},
            chunk_length_s=CHUNK_S,
            batch_size=TOGETHER,
            generate_kwargs=options,
        )

    run(audio[: 60 * 16_000])
    synchronize(device)
    begun = time.monotonic()
    run(audio)
    synchronize(device)
    took = time.monotonic() - begun
    # Chunks overlap by a sixth on either side: they begin 20 s apart.
    return {"minutes": minutes, "seconds": took, "times_real_time": 60 * minutes / took}
