import pytest

from interchange.stages import VoiceSample
from serve_app.live.speakers import SessionSpeakers


def voice(*embedding: float, seconds: float = 3.0) -> VoiceSample:
    return VoiceSample(embedding, seconds, several=False, model="m")


def test_a_voice_that_is_alike_is_the_same_persons() -> None:
    speakers = SessionSpeakers()
    heard = [voice(1, 0, 0), voice(0, 1, 0), voice(9, 4, 0), voice(0.1, 2, 0.3), voice(0, 0, 1)]
    assert [speakers.number(each) for each in heard] == [0, 1, 0, 1, 2]


def test_who_says_little_is_nobody_new() -> None:
    speakers = SessionSpeakers()
    assert speakers.number(voice(1, 0, seconds=0.5)) == 0, "but for the first"
    assert speakers.number(voice(0.2, 1, seconds=0.5)) == 0
    assert speakers.number(voice(0, 1)) == 1


@pytest.mark.parametrize("embedding", [(0.0, 0.0), (float("nan"), 1.0), ()])
def test_no_voice_is_nobody(embedding: tuple[float, ...]) -> None:
    assert SessionSpeakers().number(voice(*embedding)) is None
