"""The captured way, with the real model and without a GPU, held against the way of a CPU."""

from dataclasses import replace

import pytest
import torch

from deployments.recognition.build import engine_of, operations
from deployments.recognition.device import DevicePolicy
from deployments.recognition.fair_queue import FairQueue, Ticket
from deployments.recognition.model.whisper import WhisperModel
from interchange.samples import as_int16
from interchange.stages import SAMPLE_RATE, Float32, RecognitionOptions, Window
from interchange.transcript import WindowTranscript
from tests.unit.deployments.recognition.support import Whisper, done

SPANS = ((6.6, 9.0), (9.8, 13.5), (14.5, 17.0), (6.0, 14.0))


@pytest.fixture(scope="module")
def captured(whisper: Whisper) -> WhisperModel:
    policy = DevicePolicy(torch.device("cpu"), torch.float32, "sdpa", "for a test", way="captured")
    with torch.inference_mode():
        return WhisperModel(whisper.reference, whisper.extractor, whisper.tokenizer, policy)


def windows(sample: Float32) -> list[Window]:
    parts = [sample[round(a * SAMPLE_RATE) : round(b * SAMPLE_RATE)] for a, b in SPANS]
    return [Window(i, i * 30 * SAMPLE_RATE, as_int16(part), ()) for i, part in enumerate(parts)]


def recognized(
    model: WhisperModel,
    some: list[Window],
    slots: int,
    *,
    silent_suffix: bool = True,
    language: str | None = None,
    prompt: str | None = None,
) -> list[WindowTranscript]:
    engine = engine_of(
        model, FairQueue(3600), operations(model.policy), slots=slots, silent_suffix=silent_suffix
    )
    options = RecognitionOptions("one", language=language, word_timestamps=True, prompt=prompt)
    tickets: list[Ticket] = [engine.queue.put(window, options) for window in some]
    for _ in range(3000):
        if all(ticket.future.done() for ticket in tickets):
            return [done(ticket) for ticket in tickets]
        engine.turn()
    raise AssertionError("the engine does not come to an end")


def test_windows_get_the_words_they_get_on_a_cpu(
    whisper: Whisper, captured: WhisperModel, sample: Float32
) -> None:
    """Language, tokens, times and probabilities, where both encode the same."""
    some = windows(sample)[:3]
    ours = recognized(captured, some, 3, silent_suffix=False)
    theirs = recognized(whisper.ours, some, 3, silent_suffix=False)
    for one, other in zip(ours, theirs, strict=True):
        assert one.language == other.language
        assert [s.tokens for s in one.segments] == [s.tokens for s in other.segments]
        assert [s.start for s in one.segments] == [s.start for s in other.segments]
        assert one.no_speech_prob == pytest.approx(other.no_speech_prob, abs=1e-4)
        for mine, its in zip(one.segments, other.segments, strict=True):
            assert mine.avg_logprob == pytest.approx(its.avg_logprob, abs=1e-4)
            assert [(w.text, w.start, w.end) for w in mine.words] == [
                (w.text, w.start, w.end) for w in its.words
            ]


def test_whoever_a_window_is_with_it_gets_the_same(captured: WhisperModel, sample: Float32) -> None:
    """Trimmed windows of many lengths in batches of eight, and each alone."""
    some = windows(sample)
    together = recognized(captured, some, 8)
    for window, transcript in zip(some, together, strict=True):
        [alone] = recognized(captured, [window], 1)
        assert [s.tokens for s in alone.segments] == [s.tokens for s in transcript.segments]
        assert [w.start for s in alone.segments for w in s.words] == [
            w.start for s in transcript.segments for w in s.words
        ]
    assert all(transcript.segments for transcript in together)


def test_a_prompt_is_taken_in(whisper: Whisper, captured: WhisperModel, sample: Float32) -> None:
    some = windows(sample)[:2]
    prompt = "A call between Diane in New Jersey and somebody in Texas."
    ours, theirs = (
        recognized(model, some, 2, silent_suffix=False, language="en", prompt=prompt)
        for model in (captured, whisper.ours)
    )
    assert [[s.tokens for s in one.segments] for one in ours] == [
        [s.tokens for s in one.segments] for one in theirs
    ]
    bare = recognized(captured, some, 2, silent_suffix=False, language="en")
    assert [[s.avg_logprob for s in one.segments] for one in bare] != [
        [s.avg_logprob for s in one.segments] for one in ours
    ]


def test_what_the_policy_says(captured: WhisperModel) -> None:
    ragged = replace(captured.policy, way="ragged")
    assert (ragged.encode_together, ragged.encoded_step, ragged.groups_silence) == (1, 1, True)
    assert captured.policy.encode_together > 1
    assert not captured.policy.groups_silence
