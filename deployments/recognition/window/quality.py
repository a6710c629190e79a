"""Signs of a decoding that went wrong, and the thresholds Whisper's authors chose for them."""

import zlib
from collections.abc import Sequence

COMPRESSION_RATIO = 2.4
"""A text that compresses better repeats itself."""
AVG_LOGPROB = -1.0
"""Below it the model was guessing."""
NO_SPEECH = 0.6
"""Above it, and where the model was guessing too, nobody speaks."""
NO_SPEECH_SURE = 0.7
"""From here on the words have to be the surer, the surer the model is that nobody speaks."""
TEMPERATURES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)


def compression_ratio(text: str) -> float:
    """How many times shorter zlib makes a text; 1.0 for none."""
    data = text.encode()
    return len(data) / len(zlib.compress(data)) if data else 1.0


def silent(no_speech_prob: float, avg_logprob: float) -> bool:
    """Whether nobody speaks, whatever words there are.

    Whisper's rule, sharpened: on digital silence the base model says " you" with -0.84 a token,
    while it gives silence 0.95. What the words must reach rises to -0.5 at a probability of 1.
    """
    surplus = max(0.0, no_speech_prob - NO_SPEECH_SURE) / (1 - NO_SPEECH_SURE)
    return no_speech_prob > NO_SPEECH and avg_logprob < AVG_LOGPROB * (1 - surplus / 2)


def loop(tokens: Sequence[int], most: int = 4, longest: int = 24) -> int | None:
    """Where to cut a text that ends by repeating itself, so that what it repeats is said once.

    None where its last tokens do not repeat an n-gram of up to `longest` tokens more than
    `most` times and over more than 16 tokens in all.
    """
    for size in range(1, min(longest, len(tokens) // 2) + 1):
        unit = tokens[len(tokens) - size :]
        count, at = 1, len(tokens) - 2 * size
        while at >= 0 and tokens[at : at + size] == unit:
            count, at = count + 1, at - size
        if count > most and count * size > 16:
            return at + 2 * size
    return None
