import io

import numpy as np
import pytest

from deployments.audio.decode import Decoder
from deployments.audio.media.part import Whole
from deployments.audio.media.tracks import Report, decode
from interchange.errors import UndecodableRecording
from interchange.stages import SAMPLE_RATE
from tests.support.recordings.media import encode, tone
from tests.unit.deployments.audio.media.test_ogg import heard
from tests.unit.deployments.audio.media.test_timeline import with_a_gap

TAKEN = "The first audio track that can be decoded is number {} of the file; it was taken."


def tracks(count: int, container: str = "mp4", codec: str = "aac") -> bytes:
    """Three seconds a track, of 300 Hz, 500 Hz and so on."""
    return encode([tone(3, 300 + 200 * i) for i in range(count)], container, codec)


def spoil(data: bytes, what: bytes, by: bytes, times: int = 1) -> bytes:
    """Give the first tracks another codec, and no description of it."""
    assert data.count(what) >= times
    return data.replace(what, by, times).replace(b"esds", b"free", times)


# Codecs that nobody has a decoder for, and ones whose decoder cannot begin.
SPOILT = [
    ("mp4", "aac", b"mp4a", b"apac"),
    ("mp4", "aac", b"mp4a", b"xxxx"),
    ("mp4", "aac", b"mp4a", b"alac"),
    ("mp4", "aac", b"mp4a", b"ac-4"),
    ("matroska", "flac", b"A_FLAC", b"A_QUIX"),
    ("matroska", "aac", b"A_AAC", b"A_DTX"),
]


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize(("container", "codec", "what", "by"), SPOILT)
def test_the_first_track_that_can_be_decoded_is_taken_and_said(
    container: str, codec: str, what: bytes, by: bytes, count: int
) -> None:
    data = spoil(tracks(count + 1, container, codec), what, by, count)
    frequencies, decoder = heard(data)
    assert frequencies[:3] == [300 + 200 * count] * 3
    assert TAKEN.format(count + 1) in decoder.notes


@pytest.mark.parametrize(("container", "codec", "what", "by"), SPOILT)
def test_a_file_of_none_is_refused(container: str, codec: str, what: bytes, by: bytes) -> None:
    data = spoil(tracks(2, container, codec), what, by, 2)
    with pytest.raises(UndecodableRecording, match=r"[a-z ]+\.$"):
        heard(data)


def test_a_track_of_a_known_codec_is_found_without_seeking() -> None:
    data = spoil(tracks(2, "matroska", "flac"), b"A_FLAC", b"A_QUIX")
    assert heard(data, seekable=False)[0] == [500] * 3


def test_a_track_that_is_decoded_in_part_stays() -> None:
    data = bytearray(tracks(2, "matroska", "flac"))
    middle = len(data) // 2
    data[middle : middle + 2000] = bytes(2000)
    frequencies, _ = heard(bytes(data))
    assert set(frequencies) <= {300, 0}
    assert frequencies[0] == 300


@pytest.mark.slow
def test_a_hopeless_track_is_not_read_to_its_end() -> None:
    one, two = (tone(60, hertz) for hertz in (300, 500))
    data = spoil(encode([one, two], "mp4", "aac"), b"mp4a", b"alac")
    report = Report()
    pieces = decode(Whole(io.BytesIO(data)), report)
    next(pieces)
    assert report.track == 2
    assert report.faults == 0


def test_gaps_between_sounds_are_said() -> None:
    decoder = Decoder(io.BytesIO(with_a_gap(tone(4), 2 * SAMPLE_RATE, 5)), max_duration_s=60)
    assert len(np.concatenate(list(decoder))) == pytest.approx(9 * SAMPLE_RATE, abs=32)
    assert decoder.notes == [
        "The file has no sound for 5.0 s between other sound, by its own timestamps: what was "
        "said there was not recorded, or is lost."
    ]


def test_packets_that_cannot_be_decoded_are_counted() -> None:
    data = bytearray(encode(tone(6), "mp3", "mp3"))
    middle = len(data) // 2
    data[middle : middle + 1500] = np.random.default_rng(5).bytes(1500)
    decoder = Decoder(io.BytesIO(bytes(data)), max_duration_s=60)
    list(decoder)
    assert any("of its packets could not be decoded" in note for note in decoder.notes)
