from pathlib import Path

import pytest

from serve_app.client.formats import Format
from serve_app.client.recordings import NoRecording, distinct_names, one_recording, recordings
from serve_app.client.work import tasks


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("a.mp3", "a.wav", "b.mp3", "x/a.mp3", "X2/B.mp3", "talk.json"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (["b.mp3", "x/a.mp3"], ["b", "a"]),
        (["a.mp3", "a.wav"], ["a.mp3", "a.wav"]),
        (["a.mp3", "./a.mp3", "b.mp3"], ["a", "b"]),
        (["a.mp3", "a.wav", "x/a.mp3"], ["{here}-a.mp3", "a.wav", "x-a.mp3"]),
        (["b.mp3", "X2/B.mp3"], ["{here}-b.mp3", "X2-B.mp3"]),
        (["x", "X2"], ["a", "B"]),
        (["x", "x/a.mp3", "b.mp3"], ["a", "b"]),
        (["[ab].mp3"], ["a", "b"]),
        (["**/*.wav"], ["a"]),
        (["https://a.test/talk.mp3?key=1", "https://a.test/talk.mp3?key=2"], None),
        (["https://a.test/talk.mp3", "https://b.test/talk.mp3"], None),
        (["https://a.test/..%2F..%2Fetc%2Fpasswd%00.mp3"], [".._.._etc_passwd_"]),
        (["https://a.test/"], ["a.test"]),
        (["-", "-"], ["stdin"]),
    ],
)
def test_no_two_recordings_share_a_name(
    folder: Path, arguments: list[str], names: list[str] | None
) -> None:
    found = distinct_names(recordings(arguments))
    assert len({name.casefold() for name in found}) == len(found)
    if names is None:
        assert len(found) == 2
    else:
        assert found == [name.format(here=folder.name) for name in names]


def test_a_transcript_never_takes_a_recording_s_place(folder: Path) -> None:
    found = recordings(["talk.json", "a.mp3"])
    (talk, other) = tasks(found, [Format.JSON, Format.TXT], folder)
    assert talk.targets[Format.JSON] == folder / "talk.json.json"
    assert other.targets[Format.TXT] == folder / "a.txt"


@pytest.mark.parametrize("argument", ["nowhere.mp3", "*.ogg", "."])
def test_what_is_no_recording(folder: Path, argument: str) -> None:
    with pytest.raises(NoRecording):
        one_recording(argument)
    (folder / "empty").mkdir()
    with pytest.raises(NoRecording, match="no recording in the folder empty"):
        recordings(["empty"])
