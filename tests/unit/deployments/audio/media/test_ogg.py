import io

import numpy as np
import pytest

from deployments.audio.decode import Decoder
from deployments.audio.media.parts import parts
from interchange.errors import UndecodableRecording
from interchange.stages import SAMPLE_RATE, Float32
from tests.support.recordings.media import encode, tone


class Stream(io.BytesIO):
    def seekable(self) -> bool:
        return False

    def read(self, size: int | None = -1, /) -> bytes:
        """As a download does, it gives what is there."""
        return super().read(min(size or 0, 1001))


def stereo(samples: Float32) -> Float32:
    return np.stack([samples, samples])


def link(hertz: int, kind: str, seconds: float = 1.0) -> bytes:
    """A stream of Ogg by itself."""
    codec, channels, rate = kind.split("-")
    made = tone(seconds, hertz, int(rate))
    return encode(np.stack([made] * int(channels)), "ogg", codec, rate=int(rate))


def heard(data: bytes, *, seekable: bool = True) -> tuple[list[int], Decoder]:
    """The frequency of each second."""
    decoder = Decoder((io.BytesIO if seekable else Stream)(data), max_duration_s=600)
    samples = np.concatenate(list(decoder))
    seconds = [samples[i : i + SAMPLE_RATE] for i in range(0, len(samples), SAMPLE_RATE)]
    spectra = [np.abs(np.fft.rfft(second, SAMPLE_RATE)) for second in seconds if len(second) > 8000]
    return [10 * round(int(spectrum.argmax()) / 10) for spectrum in spectra], decoder


KINDS = ["libopus-1-48000", "libopus-2-48000", "libopus-2-16000", "flac-1-44100", "flac-2-16000",
         "libopus-6-48000", "flac-8-48000"]  # fmt: skip


@pytest.mark.parametrize("seekable", [True, False])
@pytest.mark.parametrize("second", KINDS)
@pytest.mark.parametrize("first", KINDS)
def test_all_links_of_a_chain_are_decoded(first: str, second: str, seekable: bool) -> None:
    chain = link(300, first) + link(500, second) + link(700, first)
    frequencies, decoder = heard(chain, seekable=seekable)
    assert frequencies == [300, 500, 700]
    assert decoder.notes == []
    assert not decoder.broken_off


def test_a_long_chain() -> None:
    chain = b"".join(link(300 + 20 * i, KINDS[i % 2]) for i in range(20))
    assert heard(chain)[0] == [300 + 20 * i for i in range(20)]


def test_streams_side_by_side_are_one_link() -> None:
    """Their first pages all come before any other: an Ogg file with sound and its commentary."""
    both = encode([tone(3, 300), tone(3, 700)], "ogg", "flac")
    found = list(parts(io.BytesIO(both)))
    assert len(found) == 1
    assert heard(both)[0] == [300] * 3


def test_a_link_that_cannot_be_decoded_is_said_and_the_others_stay() -> None:
    spoilt = link(500, "libopus-1-48000").replace(b"OpusHead\x01", b"OpusHead\xff")
    frequencies, decoder = heard(link(300, "flac-1-16000") + spoilt + link(700, "flac-1-16000"))
    assert frequencies == [300, 700]
    assert [note.partition(":")[0] for note in decoder.notes] == [
        "A part of the file is missing after 1.0 s"
    ]


def test_a_file_of_nothing_else_is_refused() -> None:
    spoilt = link(500, "libopus-1-48000").replace(b"OpusHead\x01", b"OpusHead\xff")
    with pytest.raises(UndecodableRecording):
        heard(spoilt)


@pytest.mark.parametrize("kept", [0.3, 0.6, 0.95])
def test_an_end_that_is_missing_is_said(kept: float) -> None:
    data = encode(tone(6), "ogg", "flac")
    decoder = Decoder(io.BytesIO(data[: round(len(data) * kept)]), max_duration_s=60)
    seconds = sum(map(len, decoder)) / SAMPLE_RATE
    assert seconds == pytest.approx(6 * kept, abs=1.0)
    assert decoder.notes == [f"The file breaks off at {seconds:.1f} s: its end is missing."]


def test_damage_between_pages_is_passed_over() -> None:
    data = link(300, "flac-1-16000", 4.0)
    page = data.rindex(b"OggS")
    damaged = data[:page] + bytes(70_000) + data[page:] + link(500, "libopus-2-48000")
    frequencies, _ = heard(damaged)
    assert frequencies[:1] + frequencies[-1:] == [300, 500]


def test_the_flag_alone_begins_no_link() -> None:
    """Some writers set it on every page."""
    data = bytearray(link(300, "flac-1-16000", 3.0))
    start = 0
    while (start := data.find(b"OggS\0", start + 1)) > 0:
        data[start + 5] |= 2
    assert len(list(parts(io.BytesIO(bytes(data))))) == 1
