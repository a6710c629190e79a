"""Greedy tokens, held against those of transformers' `generate` on real recordings."""

import pytest
import torch

from deployments.recognition.model.encoder import all_layers
from deployments.recognition.model.whisper import Projected
from deployments.recognition.window.questions import Decoded
from interchange.stages import SAMPLE_RATE, Float32
from tests.support.speech import Recording, needs_speech, recordings
from tests.unit.deployments.recognition.support import ENGLISH, Whisper, audio, decode

LIMIT = 30 * SAMPLE_RATE


def published(whisper: Whisper, **audio: object) -> tuple[int, ...]:
    """What `generate` makes of a window in one pass, without the prompt and the end."""
    with torch.inference_mode():
        output = whisper.reference.generate(
            **audio,
            language="en",
            task="transcribe",
            return_timestamps=True,
            temperature=0.0,
            num_beams=1,
            force_unique_generate_call=True,
            return_dict_in_generate=True,
        )
    tokens = output.sequences[0].tolist()
    assert tuple(tokens[: len(ENGLISH)]) == ENGLISH
    tokens = tokens[len(ENGLISH) :]
    return tuple(tokens[: tokens.index(whisper.vocabulary.eot)])


def encode(whisper: Whisper, samples: Float32) -> Projected:
    with torch.inference_mode():
        return all_layers(whisper.ours.encode_padded([samples]))[0]


def decode_alone(whisper: Whisper, encoded: Projected) -> Decoded:
    return decode(whisper.ours, {"it": encoded}, capacity=1)["it"]


@pytest.fixture(scope="package")
def seen() -> dict[str, tuple[Projected, Decoded]]:
    """Encoder outputs and decodings of the recordings tested so far."""
    return {}


def test_tokens_are_those_of_transformers_from_the_samples_on(
    whisper: Whisper, sample: Float32
) -> None:
    ours = decode_alone(whisper, encode(whisper, sample))
    assert ours.tokens == published(whisper, input_features=whisper.features(sample))
    assert len(ours.tokens) > 50


@needs_speech
@pytest.mark.speech
@pytest.mark.parametrize("recording", recordings("en"), ids=lambda recording: str(recording.name))
def test_tokens_are_those_of_transformers(
    whisper: Whisper, recording: Recording, seen: dict[str, tuple[Projected, Decoded]]
) -> None:
    """Projected once, for it takes longer than decoding; test_encoder compares the encoders."""
    from transformers.modeling_outputs import BaseModelOutput

    samples = audio(recording.path)
    if len(samples) > LIMIT:
        pytest.skip("longer than a window")
    encoded = encode(whisper, samples)
    ours = decode_alone(whisper, encoded)
    theirs = BaseModelOutput(last_hidden_state=encoded.output[None])
    assert ours.tokens == published(whisper, encoder_outputs=theirs)
    assert ours.end_logprob is not None
    seen[recording.name] = encoded, ours


@needs_speech
@pytest.mark.speech
def test_recordings_decoded_together_get_the_tokens_they_get_alone(
    whisper: Whisper, seen: dict[str, tuple[Projected, Decoded]]
) -> None:
    """Through five rows, so that rows start, leave and move at any moment."""
    some = recordings("en")[::5]
    for recording in some:
        if recording.name not in seen:
            encoded = encode(whisper, audio(recording.path)[:LIMIT])
            seen[recording.name] = encoded, decode_alone(whisper, encoded)
    encodings = {recording.name: seen[recording.name][0] for recording in some}
    together = decode(whisper.ours, encodings, capacity=5)
    alone = {recording.name: seen[recording.name][1].tokens for recording in some}
    assert {name: decoded.tokens for name, decoded in together.items()} == alone


def test_rows_together_get_the_scores_they_get_alone(whisper: Whisper, sample: Float32) -> None:
    parts = {
        f"{start} s to {end} s": encode(whisper, sample[start * SAMPLE_RATE : end * SAMPLE_RATE])
        for start, end in ((0, 6), (6, 14), (20, 30), (6, 9))
    }
    together = decode(whisper.ours, parts, capacity=3)
    for name, encoded in parts.items():
        alone = decode_alone(whisper, encoded)
        assert together[name].tokens == alone.tokens
        assert together[name].logprobs == pytest.approx(alone.logprobs, abs=1e-3)
        assert together[name].no_speech_prob == pytest.approx(alone.no_speech_prob, abs=1e-4)
