"""Greedy tokens, held against those of transformers' `generate` on real recordings."""

from collections.abc import Sequence

import pytest
import torch
from transformers.modeling_outputs import BaseModelOutput

from deployments.recognition.model.encoder import all_layers
from deployments.recognition.model.whisper import Projected
from deployments.recognition.window.questions import Decoded
from interchange.stages import SAMPLE_RATE, Float32
from tests.support.processor import in_every_type
from tests.support.recordings.speech import Recording, needs_speech, recordings
from tests.unit.deployments.recognition.model.test_rules import published as masked
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


def chosen(whisper: Whisper, window: Projected, tokens: Sequence[int]) -> tuple[int, ...]:
    """What `transformers` says after each of some tokens, by its model and by its rules, told all
    of them in one pass. If these are the same tokens and then the end, they are what it says by
    itself, at a fifth of the time that `generate` takes."""
    told = torch.tensor([[*ENGLISH, *tokens]])
    with torch.inference_mode():
        logits = whisper.reference(
            encoder_outputs=(whisper.heard(window),), decoder_input_ids=told
        ).logits[0, len(ENGLISH) - 1 :]
    return tuple(
        int(masked(whisper.vocabulary, tokens[:index], row).argmax())
        for index, row in enumerate(logits)
    )


def encode(whisper: Whisper, samples: Float32) -> Projected:
    """Trimmed, as the service does."""
    positions = whisper.ours.positions(len(samples) / SAMPLE_RATE)
    with torch.inference_mode():
        return all_layers(whisper.ours.encode_trimmed([(samples, positions)]))[0]


def decode_alone(whisper: Whisper, encoded: Projected) -> Decoded:
    return decode(whisper.ours, {"it": encoded}, capacity=1)["it"]


@pytest.fixture(scope="package")
def seen() -> dict[str, tuple[Projected, Decoded]]:
    """Encoder outputs and decodings of the recordings tested so far."""
    return {}


def test_tokens_are_those_of_transformers_from_the_samples_on(
    whisper: Whisper, sample: Float32
) -> None:
    with torch.inference_mode():
        padded = all_layers(whisper.ours.encode_padded([sample]))[0]
    ours = decode_alone(whisper, padded)
    assert ours.tokens == published(whisper, input_features=whisper.features(sample))
    assert len(ours.tokens) > 50


@needs_speech
@pytest.mark.speech
@pytest.mark.parametrize(
    "recording", recordings("en")[::12], ids=lambda recording: str(recording.name)
)
def test_tokens_are_those_that_transformers_generates(
    whisper: Whisper, recording: Recording
) -> None:
    encoded = encode(whisper, audio(recording.path)[:LIMIT])
    theirs = BaseModelOutput(last_hidden_state=whisper.heard(encoded))
    ours = decode_alone(whisper, encoded).tokens
    assert ours == published(whisper, encoder_outputs=theirs)
    assert (*ours, whisper.vocabulary.eot) == chosen(whisper, encoded, ours)


@needs_speech
@pytest.mark.speech
@pytest.mark.parametrize("recording", recordings("en"), ids=lambda recording: str(recording.name))
def test_tokens_are_those_that_transformers_chooses(
    whisper: Whisper, recording: Recording, seen: dict[str, tuple[Projected, Decoded]]
) -> None:
    """Projected once, for it takes longer than decoding; test_encoder compares the encoders."""
    encoded = encode(whisper, audio(recording.path)[:LIMIT])
    ours = decode_alone(whisper, encoded)
    assert ours.end_logprob is not None
    assert (*ours.tokens, whisper.vocabulary.eot) == chosen(whisper, encoded, ours.tokens)
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
    alone = {recording.name: seen[recording.name][1] for recording in some}
    assert decode(whisper.ours, encodings, capacity=5) == alone


@in_every_type
def test_rows_together_get_to_the_last_bit_what_they_get_alone(
    whisper: Whisper, sample: Float32
) -> None:
    parts = {
        f"{start} s to {end} s": encode(whisper, sample[start * SAMPLE_RATE : end * SAMPLE_RATE])
        for start, end in ((0, 6), (6, 14), (20, 30), (6, 9))
    }
    alone = {name: decode_alone(whisper, encoded) for name, encoded in parts.items()}
    assert decode(whisper.ours, parts, capacity=3) == alone


def test_a_decoding_that_is_given_its_beginning_goes_on_as_it_did(
    whisper: Whisper, sample: Float32
) -> None:
    """Beside one that is given nothing."""
    encoded = encode(whisper, sample[6 * SAMPLE_RATE : 14 * SAMPLE_RATE])
    whole = decode_alone(whisper, encoded)
    words = [index for index, token in enumerate(whole.tokens) if token < whisper.vocabulary.eot]
    for count in (words[0], words[len(words) // 2], words[-1]):
        told = {"told": whole.tokens[: count + 1]}
        found = decode(whisper.ours, {"told": encoded, "not": encoded}, said=told)
        assert found["told"].tokens == found["not"].tokens == whole.tokens
        assert found["told"].given == count + 1
        assert found["told"].logprobs[: count + 1] == (0.0,) * (count + 1)
        assert found["told"].logprobs[count + 1 :] == pytest.approx(
            whole.logprobs[count + 1 :], abs=1e-3
        )
