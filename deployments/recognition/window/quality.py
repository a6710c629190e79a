"""Signs of a decoding that went wrong, and the thresholds Whisper's authors chose for them."""

import zlib

COMPRESSION_RATIO = 2.4
"""A text that compresses better repeats itself."""
AVG_LOGPROB = -1.0
"""Below it the model was guessing."""
NO_SPEECH = 0.6
"""Above it, and where the model was guessing too, nobody speaks."""
NO_SPEECH_SURE = 0.7
"""From here on the words have to be the surer, the surer the model is that nobody speaks."""
FAINT_AVG_LOGPROB = -0.8
"""What words have to reach where voice activity heard none. Whispers are at -0.5, noise, tones and
music at -1.2 in the median."""
FAINT_PACE = 1.0
"""Tokens a second that such words have at least: long noise is heard as a "Thank you"."""
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


def faintly_heard(no_speech_prob: float, avg_logprob: float, pace: float) -> bool:
    """Whether somebody speaks where voice activity heard nobody; `pace` in tokens a second."""
    sure = no_speech_prob < NO_SPEECH and avg_logprob > FAINT_AVG_LOGPROB
    return sure and pace >= FAINT_PACE
