import threading
import time
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from pyannote.core import Annotation, Segment
from pyannote.metrics.diarization import DiarizationErrorRate
from torch import Tensor

from configs.settings import DiarizationSettings
from deployments.diarization import diarization, pipeline
from deployments.diarization.analysis import Analysis
from deployments.diarization.bundled import VOICES
from deployments.diarization.diarization import Found
from deployments.diarization.pipeline import Cancelled, Diarizer, chosen_dtype
from deployments.diarization.speakers.clustering import unit
from interchange import samples
from interchange.errors import DiarizationFailed, InvalidOption, Unavailable
from interchange.samples import StretchCutter
from interchange.stages import (
    SAMPLE_RATE,
    STRETCH_REACH,
    DiarizationOptions,
    Int16,
    Speakers,
    Stretch,
    Voice,
)
from interchange.transcript import Turn
from tests.support.processor import needs_integers
from tests.support.recordings.speech import SAMPLE

ANY = DiarizationOptions()


def error_rate(turns: tuple[Turn, ...]) -> float:
    """Diarization error rate on the sample, 0.25 s around each change of speaker left out."""
    reference, found = Annotation(), Annotation()
    for line in SAMPLE.with_suffix(".rttm").read_text().splitlines():
        fields = line.split()
        start, length = float(fields[3]), float(fields[4])
        reference[Segment(start, start + length)] = fields[7]
    for index, turn in enumerate(turns):
        found[Segment(turn.start, turn.end), index] = turn.speaker
    return float(DiarizationErrorRate(collar=0.25)(reference, found))


def length(turn: Turn) -> float:
    return turn.end - turn.start


def speakers(turns: tuple[Turn, ...]) -> set[str]:
    return {turn.speaker for turn in turns}


@pytest.mark.filterwarnings("ignore:'uem' was approximated:UserWarning")
def test_a_real_conversation(diarizer: Diarizer, conversation: Int16) -> None:
    turns = diarizer.turns(conversation, ANY)
    assert error_rate(turns) < 0.12
    assert speakers(turns) == {"SPEAKER_00", "SPEAKER_01"}
    assert turns[0].speaker == "SPEAKER_00", "numbered as they appear"
    assert [turn.start for turn in turns] == sorted(turn.start for turn in turns)


@pytest.mark.filterwarnings("ignore:'uem' was approximated:UserWarning")
@pytest.mark.parametrize(
    "short", ["short_diarizer", pytest.param("integer_diarizer", marks=needs_integers)]
)
def test_a_real_conversation_in_fewer_digits(
    diarizer: Diarizer, short: str, conversation: Int16, request: pytest.FixtureRequest
) -> None:
    shorter: Diarizer = request.getfixturevalue(short)
    exact, found = (each.turns(conversation, ANY) for each in (diarizer, shorter))
    assert error_rate(found) < 0.12
    assert [turn.speaker for turn in found] == [turn.speaker for turn in exact]


def test_the_first_recording_waits_for_no_compiler(
    diarizer: Diarizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    passed: list[torch.Size] = []
    trunk = diarizer._pipeline.embedder._trunk
    frames = trunk.frames

    def watched(waveforms: Tensor) -> Tensor:
        passed.append(waveforms.shape)
        return frames(waveforms)

    monkeypatch.setattr(trunk, "frames", watched)
    diarizer.warm_up()
    assert passed, "though nobody talks in noise"


@pytest.mark.parametrize(
    ("asked", "kind", "bfloat16", "faster", "chosen"),
    [
        ("auto", "cpu", True, True, torch.bfloat16),
        ("auto", "cpu", False, True, torch.int16),
        ("auto", "cpu", False, False, torch.float32),
        ("auto", "cuda", True, True, torch.float32),
        ("float32", "cpu", True, True, torch.float32),
        ("float32", "cuda", True, True, torch.float32),
        ("bfloat16", "cpu", False, True, torch.bfloat16),
        ("int16", "cpu", True, False, torch.int16),
    ],
)
def test_the_type_that_is_multiplied_in(
    monkeypatch: pytest.MonkeyPatch,
    asked: Any,
    kind: str,
    chosen: torch.dtype,
    *,
    bfloat16: bool,
    faster: bool,
) -> None:
    monkeypatch.setattr(pipeline, "multiplies_bfloat16", lambda: bfloat16)
    monkeypatch.setattr(pipeline, "multiplies_integers", lambda: True)
    monkeypatch.setattr(pipeline, "integers_are_faster", lambda: faster)
    assert chosen_dtype(DiarizationSettings(dtype=asked), torch.device(kind)) == chosen


@pytest.mark.parametrize("dtype", ["bfloat16", "int16"])
@pytest.mark.parametrize(
    ("model", "kind"), [("bundled:diarization", "cuda"), ("pyannote/some", "cpu")]
)
def test_a_type_that_is_impossible_is_refused(
    monkeypatch: pytest.MonkeyPatch, model: str, kind: str, dtype: Any
) -> None:
    for asked in ("multiplies_bfloat16", "multiplies_integers", "integers_are_faster"):
        monkeypatch.setattr(pipeline, asked, lambda: True)
    with pytest.raises(ValueError, match=rf"dtype` is {dtype}, .* {model} on {kind}; use auto"):
        chosen_dtype(DiarizationSettings(model=model, dtype=dtype), torch.device(kind))
    auto = DiarizationSettings(model=model)
    assert chosen_dtype(auto, torch.device(kind)) == torch.float32


def test_integers_need_their_instructions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "multiplies_integers", lambda: False)
    with pytest.raises(ValueError, match="int16, which is for CPUs with AVX2"):
        chosen_dtype(DiarizationSettings(dtype="int16"), torch.device("cpu"))


def test_the_recording_may_be_read_only(diarizer: Diarizer, conversation: Int16) -> None:
    frozen = conversation.copy()
    frozen.flags.writeable = False
    assert diarizer.turns(frozen, ANY) == diarizer.turns(conversation, ANY)


@pytest.mark.parametrize(
    ("options", "count"),
    [
        (DiarizationOptions(num_speakers=1), 1),
        (DiarizationOptions(max_speakers=1), 1),
        (DiarizationOptions(num_speakers=3), 3),
        (DiarizationOptions(min_speakers=3), 3),
    ],
)
def test_bounds_on_the_number_of_speakers(
    diarizer: Diarizer, conversation: Int16, options: DiarizationOptions, count: int
) -> None:
    assert len(speakers(diarizer.turns(conversation, options))) == count


@pytest.mark.parametrize(
    "options", [DiarizationOptions(num_speakers=100), DiarizationOptions(min_speakers=100)]
)
@pytest.mark.parametrize("seconds", [2, 30])
def test_more_speakers_than_can_be_heard(
    diarizer: Diarizer, conversation: Int16, options: DiarizationOptions, seconds: int
) -> None:
    """As many as there may be, and no fault."""
    said = conversation[8 * SAMPLE_RATE :][: seconds * SAMPLE_RATE]
    found = diarizer.turns(said, options)
    assert 1 <= len(speakers(found)) <= 100


@pytest.fixture
def short_stretches(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that half a minute has three, which begin where no chunk does."""
    for module in (samples, diarization):
        monkeypatch.setattr(module, "STRETCH", 11 * SAMPLE_RATE + 1)


@pytest.mark.usefixtures("short_stretches")
def test_however_a_recording_comes_its_speakers_are_the_same(
    diarizer: Diarizer, conversation: Int16
) -> None:
    whole = diarizer.speakers(conversation, ANY)
    rng = np.random.default_rng(0)
    cutter = StretchCutter()
    blocks = np.split(conversation, np.sort(rng.integers(0, len(conversation), 30)))
    stretches = [stretch for block in blocks for stretch in cutter.feed(block)]
    stretches += cutter.flush()
    assert len(stretches) == 3
    analyses = {each.number: diarizer.analyse(each) for each in reversed(stretches)}
    in_order = [analyses[number] for number in range(3)]
    assert diarizer.cluster(in_order, len(conversation) / SAMPLE_RATE, ANY) == whole


def test_stretches_make_no_difference_to_what_chunks_hear(
    diarizer: Diarizer, conversation: Int16, monkeypatch: pytest.MonkeyPatch
) -> None:
    waveform = torch.from_numpy(conversation)
    # Whether a speaker of a chunk is two people is decided behind it, and may fall either way.
    pipeline = replace(diarizer._pipeline, parting=None)
    whole = pipeline.analyse(waveform, 0, lambda *_: None)
    length = 11 * SAMPLE_RATE + 1
    monkeypatch.setattr(diarization, "STRETCH", length)
    parts = [
        pipeline.analyse(waveform[begin : begin + length + STRETCH_REACH], number, lambda *_: None)
        for number, begin in enumerate(range(0, len(waveform), length))
    ]
    assert len(parts[1].masks) > 0
    joined = Analysis.joined(parts)
    assert joined.masks.shape == whole.masks.shape
    # Sums in another order: hardly a frame may fall to the other side.
    assert np.mean(joined.masks != whole.masks) < 1e-3
    # Speech passes the embedding network in other blocks, as it does behind any other pause.
    enough = whole.masks.sum(axis=1) > 100
    alike = (unit(joined.embeddings) * unit(whole.embeddings)).sum(axis=2)[enough]
    assert np.median(alike) > 0.97
    assert alike.min() > 0.9


def test_no_samples_have_no_speakers(diarizer: Diarizer) -> None:
    assert diarizer.cluster([], 0.0, ANY) == Speakers()


def test_what_is_no_analysis_is_a_fault_of_ours(diarizer: Diarizer) -> None:
    with pytest.raises(DiarizationFailed, match="no analysis"):
        diarizer.cluster([b"?"], 1.0, ANY)


def test_every_speaker_has_a_voice(diarizer: Diarizer, conversation: Int16) -> None:
    found = diarizer.speakers(conversation, ANY)
    assert set(found.voices) == speakers(found.turns)
    voices = {who: np.array(voice) for who, voice in found.voices.items()}
    assert [voice @ voice for voice in voices.values()] == pytest.approx([1, 1], abs=1e-4)
    longest = max((turn for turn in found.turns if turn.speaker == "SPEAKER_01"), key=length)
    said = conversation[round(longest.start * SAMPLE_RATE) : round(longest.end * SAMPLE_RATE)]
    alone = np.array(diarizer.voice(said).embedding)
    assert alone @ voices["SPEAKER_01"] > alone @ voices["SPEAKER_00"] + 0.2


def test_a_known_voice_has_its_name(diarizer: Diarizer, conversation: Int16) -> None:
    strangers = diarizer.turns(conversation, ANY)
    longest = max((turn for turn in strangers if turn.speaker == "SPEAKER_01"), key=length)
    said = conversation[round(longest.start * SAMPLE_RATE) : round(longest.end * SAMPLE_RATE)]
    heard = diarizer.voice(said)
    assert abs(heard.seconds - length(longest)) < 1, "but for its pauses"
    assert not heard.several
    known = (Voice("Ann", (heard.embedding,), heard.model),)
    names = {"SPEAKER_00": "SPEAKER_00", "SPEAKER_01": "Ann"}
    expected = tuple(replace(turn, speaker=names[turn.speaker]) for turn in strangers)
    assert diarizer.turns(conversation, DiarizationOptions(known=known)) == expected
    other = replace(known[0], model="another")
    with pytest.raises(InvalidOption, match="another"):
        diarizer.turns(conversation, DiarizationOptions(known=(other,)))


@pytest.mark.parametrize("seconds", [0, 0.05, 12])
def test_nobody_is_heard_in_silence(diarizer: Diarizer, seconds: float) -> None:
    heard = diarizer.voice(np.zeros(round(seconds * SAMPLE_RATE), np.int16))
    assert (heard.seconds, heard.several) == (0.0, False)


def test_two_people_are_heard_in_a_reference_of_two(
    diarizer: Diarizer, conversation: Int16
) -> None:
    one = conversation[22 * SAMPLE_RATE : 26 * SAMPLE_RATE]
    shrunk = np.arange(0, len(one), 1.4).astype(np.intp)
    other = one[shrunk]  # faster and higher: another's voice
    assert not diarizer.voice(one).several
    assert diarizer.voice(np.concatenate([one, other])).several


@pytest.mark.parametrize("seconds", [0, 1 / SAMPLE_RATE, 0.01, 0.5, 3, 12])
def test_silence_of_any_length_has_no_speakers(diarizer: Diarizer, seconds: float) -> None:
    assert diarizer.turns(np.zeros(round(seconds * SAMPLE_RATE), np.int16), ANY) == ()


@pytest.mark.parametrize("seconds", [0.3, 1.0, 7.0, 10.001, 21.3])
def test_turns_stay_inside_a_recording_of_any_length(
    diarizer: Diarizer, conversation: Int16, seconds: float
) -> None:
    begin = 7 * SAMPLE_RATE
    for turn in diarizer.turns(conversation[begin : begin + round(seconds * SAMPLE_RATE)], ANY):
        assert 0 <= turn.start < turn.end <= seconds + 1 / SAMPLE_RATE


@pytest.mark.parametrize(
    ("options", "param"),
    [
        (DiarizationOptions(num_speakers=0), "num_speakers"),
        (DiarizationOptions(min_speakers=3, max_speakers=2), "min_speakers"),
    ],
)
def test_bounds_that_cannot_be_met_are_refused(
    diarizer: Diarizer, conversation: Int16, options: DiarizationOptions, param: str
) -> None:
    with pytest.raises(InvalidOption) as caught:
        diarizer.turns(conversation, options)
    assert caught.value.param == param


def test_a_caller_who_left_is_not_worked_for(diarizer: Diarizer, conversation: Int16) -> None:
    left = threading.Event()
    left.set()
    with pytest.raises(Cancelled):
        diarizer.turns(conversation, ANY, left)


def test_a_fault_of_the_models_is_ours(
    diarizer: Diarizer, conversation: Int16, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("no memory")

    monkeypatch.setattr(diarizer, "_pipeline", SimpleNamespace(analyse=broken))
    with pytest.raises(DiarizationFailed, match="no memory"):
        diarizer.turns(conversation, ANY)
    diarizer.check()  # it answered: nothing is stuck


def test_work_that_no_longer_moves_is_unhealthy(
    diarizer: Diarizer, conversation: Int16, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Exception] = []

    def stuck(*_: Any) -> Found:
        later = time.monotonic() + pipeline.STUCK_S + 1
        monkeypatch.setattr(time, "monotonic", lambda: later)
        try:
            diarizer.check()
        except Unavailable as error:
            seen.append(error)
        return Found([], np.zeros((0, 1), np.float32))

    diarizer.check()
    analyses = [diarizer.analyse(Stretch(0, conversation))]
    monkeypatch.setattr(diarizer, "_pipeline", SimpleNamespace(speakers=stuck, voices=VOICES))
    diarizer.cluster(analyses, 30.0, ANY)
    assert seen
    diarizer.check()


def test_threads_beside_each_other_find_what_one_finds(
    diarizer: Diarizer, conversation: Int16
) -> None:
    before = torch.get_num_threads()
    try:
        several = Diarizer(DiarizationSettings(device="cpu", dtype="float32", threads=3))
    finally:
        torch.set_num_threads(before)
    waveform = np.tile(conversation, 3)
    ours = several.turns(waveform, DiarizationOptions())
    theirs = diarizer.turns(waveform, DiarizationOptions())
    assert [turn.speaker for turn in ours] == [turn.speaker for turn in theirs]
    for one, other in zip(ours, theirs, strict=True):
        assert one.start == pytest.approx(other.start, abs=0.1)
        assert one.end == pytest.approx(other.end, abs=0.1)
