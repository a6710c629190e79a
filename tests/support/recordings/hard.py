"""What must happen to each of the `hard/` recordings, as a check of an answer."""

import re

import jiwer
from httpx2 import Response
from transformers.models.whisper.english_normalizer import EnglishTextNormalizer

from tests.support.recordings.speech import Recording

_normal = EnglishTextNormalizer({})

_REFUSED = {"empty_0_bytes.wav", "random_bytes.mp3", "text_named.wav", "moov_missing.mp4"}
_HALF = "you don't mean that you"
"""What the first half of the recordings that are cut in two says, at the least."""


def word_errors(reference: str, hypothesis: str) -> float:
    """Word error rate after Whisper's normaliser for English."""
    return float(jiwer.wer(_normal(reference), _normal(hypothesis)))


def fault(recording: Recording, answer: Response) -> str | None:
    """Why an answer in `verbose_json` does not meet what is expected, None where it does."""
    if answer.status_code >= 500:
        return f"{answer.status_code}: {answer.text}"
    if answer.status_code >= 400:
        return _refused(recording, _sentence(answer))
    return _answered(recording, answer.json())


def _sentence(answer: Response) -> str:
    body = answer.json()
    return str(body["detail"] if "detail" in body else body["error"]["message"])


def _refused(recording: Recording, sentence: str) -> str | None:
    assert recording.expect is not None
    if not re.search(r"client error|no crash", recording.expect):
        return f"refused: {sentence}"
    if recording.case == "no-audio" and "audio" not in sentence:
        return f"the sentence does not say that the audio is missing: {sentence}"
    if len(sentence.split()) < 5 or not sentence.endswith("."):
        return f"no sentence: {sentence}"
    return None


def _answered(recording: Recording, answer: dict[str, object]) -> str | None:
    expect, text = recording.expect, str(answer["text"]).strip()
    assert expect is not None
    if recording.case == "no-speech":
        return f"words were invented: {text}" if text or answer.get("speakers") else None
    if recording.name in _REFUSED or expect.startswith("a clear client error"):
        return f"not refused, but answered: {text!r}"
    if recording.case == "security":
        return f"a playlist was opened: {text!r}"
    if recording.case == "corrupt":
        return _of_a_damaged_file(recording, text)
    if recording.case == "silence":
        return _twice(recording, answer, text)
    if recording.text is None or expect.startswith(("no crash", "best effort")):
        return None
    errors = word_errors(recording.text, text)
    allowed = 0.35 if "mostly" in expect else 0.25 if recording.case == "degraded" else 0.15
    return f"word errors {errors:.0%}: {text!r}" if errors > allowed else None


def _of_a_damaged_file(recording: Recording, text: str) -> str | None:
    # What is left of a file with flipped bits may be heard as anything.
    if not recording.name.startswith("truncated") or _normal(text).startswith(_normal(_HALF)):
        return None
    return f"not the first half of the words: {text!r}"


def _twice(recording: Recording, answer: dict[str, object], text: str) -> str | None:
    """One sentence in long silence, and once more; the reference has both."""
    assert recording.text is not None
    segments = answer["segments"]
    assert isinstance(segments, list)
    if not segments or not 18 <= segments[0]["start"] <= 22:
        return f"the speech begins near 20 s, and not here: {segments[:1]}"
    errors = word_errors(recording.text, text)
    return f"word errors {errors:.0%}: {text!r}" if errors > 0.15 else None
