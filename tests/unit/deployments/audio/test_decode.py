import io
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import numpy as np
import pytest

from deployments.audio.decode import BLOCK, Decoder
from interchange.errors import NoAudioStream, RecordingTooLong, UndecodableRecording
from interchange.stages import SAMPLE_RATE, Float32
from tests.support.recordings.media import encode, silent_video, tone
from tests.support.recordings.speech import SAMPLE, Recording, needs_speech, recordings


class Stream(io.BytesIO):
    """A file that can only be read on."""

    def seekable(self) -> bool:
        return False


def decoder(data: bytes, *, max_duration_s: float = 3600, seekable: bool = True) -> Decoder:
    return Decoder((io.BytesIO if seekable else Stream)(data), max_duration_s=max_duration_s)


def decode(data: bytes, **options: float) -> Float32:
    return np.concatenate(list(decoder(data, **options)))  # type: ignore[arg-type]


def likeness(one: Float32, other: Float32) -> float:
    """The highest coefficient of correlation at any shift."""
    size = 2 * max(len(one), len(other))
    product = np.fft.irfft(np.fft.rfft(one, size) * np.conj(np.fft.rfft(other, size)), size)
    return float(product.max() / np.sqrt((one @ one) * (other @ other)))


def noise(seconds: float, rate: int = SAMPLE_RATE) -> Float32:
    """Noise of low frequency, which every codec keeps."""
    rng = np.random.default_rng(3)
    time = np.arange(round(seconds * rate))[:, None] / rate
    hertz, phases = rng.uniform(100, 1500, 12), rng.uniform(0, 6, 12)
    return cast("Float32", np.sin(2 * np.pi * hertz * time + phases).sum(1).astype(np.float32) / 20)


@pytest.mark.parametrize("seekable", [True, False])
@pytest.mark.parametrize(
    ("container", "codec", "rate"),
    [
        ("wav", "pcm_s16le", 16_000),
        ("wav", "pcm_u8", 8_000),
        ("wav", "pcm_mulaw", 8_000),
        ("wav", "pcm_f32le", 44_100),
        ("flac", "flac", 96_000),
        ("mp3", "mp3", 44_100),
        ("ogg", "libopus", 48_000),
        ("ogg", "flac", 44_100),
        ("webm", "libopus", 48_000),
        ("matroska", "flac", 48_000),
        ("adts", "aac", 44_100),
        ("mpegts", "aac", 48_000),
        ("avi", "mp3", 44_100),
        ("aiff", "pcm_s16be", 22_050),
        ("au", "pcm_s16be", 11_025),
        ("w64", "pcm_s24le", 48_000),
    ],
)
def test_every_common_format_is_decoded(
    container: str, codec: str, rate: int, seekable: bool
) -> None:
    data = encode(noise(2.5, rate), container, codec, rate=rate)
    decoded = decode(data, seekable=seekable)
    assert len(decoded) == pytest.approx(2.5 * SAMPLE_RATE, abs=0.1 * SAMPLE_RATE)
    assert likeness(decoded, noise(2.5)) > 0.98


def test_blocks_are_seconds_and_the_rest() -> None:
    blocks = list(decoder(encode(tone(2.25))))
    assert [len(block) for block in blocks] == [BLOCK, BLOCK, BLOCK // 4]
    assert {block.dtype for block in blocks} == {np.dtype(np.float32)}


def test_samples_of_pcm_are_exact() -> None:
    samples = tone(1.3)
    np.testing.assert_allclose(decode(encode(samples)), samples, atol=1 / 32768)


def test_an_mp4_whose_index_comes_last_needs_seeking() -> None:
    data = encode(noise(20), "mp4", "aac")
    assert data.index(b"mdat") < data.index(b"moov")
    assert likeness(decode(data), noise(20)) > 0.98
    with pytest.raises(UndecodableRecording):
        decode(data, seekable=False)


def test_an_mp4_whose_index_comes_first_does_not() -> None:
    data = encode(noise(20), "mp4", "aac", options={"movflags": "faststart"})
    assert likeness(decode(data, seekable=False), noise(20)) > 0.98


def test_the_first_of_several_tracks_is_taken() -> None:
    first, second = tone(1, 300), tone(2, 700)
    np.testing.assert_array_equal(
        decode(encode([first, second], "matroska", "flac")), decode(encode(first, "flac", "flac"))
    )


def test_stereo_whose_channels_cancel_is_heard() -> None:
    left = noise(3)
    decoded = decode(encode(np.stack([left, -left]), "flac", "flac"))
    assert likeness(decoded, left) > 0.99


def test_sound_on_the_right_only_is_heard_in_full() -> None:
    right = noise(3)
    decoded = decode(encode(np.stack([np.zeros_like(right), right])))
    np.testing.assert_allclose(decoded, right, atol=1e-3)


def test_the_centre_of_surround_is_heard_and_its_bass_is_not() -> None:
    planes = np.zeros((6, 3 * SAMPLE_RATE), np.float32)
    planes[2] = noise(3)
    planes[3] = tone(3, 50)
    np.testing.assert_allclose(decode(encode(planes, "flac", "flac")), planes[2], atol=1e-3)


class Doubling:
    """Says the mix alone for 1.5 s, and then both channels beside it."""

    def __init__(self, channels: int) -> None:
        self._seen = 0

    def feed(self, piece: Float32) -> Iterator[Float32]:
        left = max(0, BLOCK * 3 // 2 - self._seen)
        self._seen += piece.shape[1]
        both = np.concatenate((piece.mean(axis=0, keepdims=True), piece))
        yield from (part for part in (both[0, :left], both[:, left:]) if part.size)

    def flush(self) -> Iterator[Float32]:
        yield np.zeros((3, 5), np.float32)


def test_what_a_mixer_makes_beside_the_mix_comes_in_blocks_too() -> None:
    channels = np.stack((noise(3), -0.5 * noise(3)))
    file = io.BytesIO(encode(channels, "flac", "flac"))
    blocks = list(Decoder(file, max_duration_s=4, mixer=Doubling))
    half = BLOCK // 2
    assert [each.shape for each in blocks] == [
        (BLOCK,), (half,), (3, BLOCK), (3, half + 5)
    ]  # fmt: skip
    whole = np.concatenate([each for each in blocks if each.ndim == 2], axis=1)
    np.testing.assert_allclose(whole[1, :-5], channels[0, BLOCK + half :], atol=1e-4)
    assert not whole[:, -5:].any()
    with pytest.raises(RecordingTooLong):
        list(Decoder(file, max_duration_s=2, mixer=Doubling))


def test_the_duration_is_limited() -> None:
    data = encode(tone(3))
    assert len(decode(data, max_duration_s=3)) == 3 * SAMPLE_RATE
    with pytest.raises(RecordingTooLong, match=r"2\.5 s"):
        decode(data, max_duration_s=2.5)


def test_not_a_number_becomes_silence() -> None:
    samples = tone(1)
    samples[100] = np.nan
    samples[200] = np.inf
    decoded = decode(encode(samples, "wav", "pcm_f32le"))
    assert np.isfinite(decoded).all()
    assert np.abs(decoded).max() <= 1


@pytest.mark.parametrize("size", [0, 1, 160, 4000])
def test_very_short_recordings(size: int) -> None:
    data = encode(tone(1)[: max(size, 1)])
    if not size:
        data = data[: data.index(b"data") + 8]
        with pytest.raises(UndecodableRecording, match="holds no sound"):
            decode(data)
        return
    assert len(decode(data)) == size


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"RIFF",
        b"This is text and no recording at all. " * 20,
        b"<!doctype html><html><body>Not found</body></html>" * 20,
        b"PK\x03\x04" + bytes(500),
        np.random.default_rng(0).bytes(20_000),
        bytes(20_000),
    ],
)
@pytest.mark.parametrize("seekable", [True, False])
def test_what_is_no_recording_is_refused_with_a_sentence(data: bytes, seekable: bool) -> None:
    with pytest.raises(UndecodableRecording, match=r"[a-z ]+\.$"):
        decode(data, seekable=seekable)


def test_a_video_without_sound_is_refused() -> None:
    with pytest.raises(NoAudioStream, match="without an audio track"):
        decode(silent_video())


def test_an_index_that_is_missing() -> None:
    data = encode(noise(2), "mp4", "aac")
    with pytest.raises(UndecodableRecording):
        decode(data[: data.index(b"moov") - 4])


def playlists(target: str) -> list[bytes]:
    return [
        f"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n{target}\n#EXT-X-ENDLIST\n".encode(),
        f"ffconcat version 1.0\nfile '{target}'\n".encode(),
        f"<MPD xmlns='urn:mpeg:dash:schema:mpd:2011'><BaseURL>{target}</BaseURL></MPD>".encode(),
        f"v=0\no=- 0 0 IN IP4 127.0.0.1\ns={target}\nm=audio 9 RTP/AVP 0\n".encode(),
    ]


@pytest.mark.parametrize("kind", range(4))
def test_files_that_lead_elsewhere_are_refused_and_lead_nowhere(tmp_path: Path, kind: int) -> None:
    target = tmp_path / "secret.wav"
    target.write_bytes(encode(tone(2)))
    for path in (str(target), f"file://{target}", target.name):
        with pytest.raises(UndecodableRecording):
            decode(playlists(path)[kind])


def test_a_truncated_file_keeps_what_is_there_and_says_so() -> None:
    data = encode(noise(6), "flac", "flac")
    truncated = decoder(data[: len(data) // 2])
    samples = np.concatenate(list(truncated))
    assert 2 * SAMPLE_RATE < len(samples) < 4 * SAMPLE_RATE
    assert likeness(samples, noise(6)[: len(samples)]) > 0.98
    assert any("although it announces 6.0 s" in note for note in truncated.notes)


def test_a_fault_in_the_middle_does_not_end_the_recording() -> None:
    data = bytearray(encode(noise(6), "mp3", "mp3"))
    middle = len(data) // 2
    data[middle : middle + 1500] = np.random.default_rng(5).bytes(1500)
    samples = decode(bytes(data))
    assert len(samples) > 5 * SAMPLE_RATE
    assert likeness(samples[-2 * SAMPLE_RATE :], noise(6)) > 0.5


def test_a_whole_file_has_no_notes() -> None:
    whole = decoder(encode(noise(3), "flac", "flac"))
    list(whole)
    assert whole.notes == []


def test_a_header_of_a_stream_of_unknown_length() -> None:
    data = bytearray(encode(tone(2)))
    size = data.index(b"data") + 4
    data[4:8] = data[size : size + 4] = b"\xff" * 4
    streamed = decoder(bytes(data))
    assert sum(len(block) for block in streamed) == 2 * SAMPLE_RATE
    assert streamed.notes == []


@pytest.mark.parametrize("rate", [0, 1, 999_999])
def test_sample_rates_that_cannot_be(rate: int) -> None:
    data = bytearray(encode(tone(1)))
    data[24:28] = rate.to_bytes(4, "little")
    with pytest.raises(UndecodableRecording):
        decode(bytes(data))


def test_flipped_bytes_never_do_more_than_raise() -> None:
    rng = np.random.default_rng(11)
    for container, codec in (
        ("wav", "pcm_s16le"),
        ("mp4", "aac"),
        ("ogg", "libopus"),
        ("flac", "flac"),
    ):
        original = encode(noise(1), container, codec)
        for _ in range(20):
            data = bytearray(original)
            for position in rng.integers(0, len(data), 20):
                data[position] = rng.integers(256)
            try:
                decoded = decode(bytes(data), max_duration_s=600)
            except (UndecodableRecording, RecordingTooLong):
                continue
            assert np.isfinite(decoded).all()


def test_real_speech_of_a_telephone_call() -> None:
    samples = decode(SAMPLE.read_bytes())
    assert len(samples) == 30 * SAMPLE_RATE
    assert np.abs(samples).max() > 0.05


REFUSED = {"empty_0_bytes.wav", "random_bytes.mp3", "text_named.wav", "moov_missing.mp4",
           "wav_zero_sample_rate.wav", "archive_named.ogg", "playlist_remote.m3u8",
           "concat_local.ffconcat", "video_no_audio.mp4"}  # fmt: skip
EITHER = ("header_only.wav", "ps_", "truncated_", "bitflips", "mp3_id3_junk.mp3")


@needs_speech
@pytest.mark.speech
@pytest.mark.parametrize("recording", recordings("hard"), ids=lambda recording: recording.name)
def test_hard_recordings(recording: Recording) -> None:
    try:
        samples = decode(recording.path.read_bytes())
    except UndecodableRecording:
        assert recording.name in REFUSED or recording.name.startswith(EITHER)
        return
    assert recording.name not in REFUSED
    assert np.isfinite(samples).all()
    if recording.text:
        assert np.sqrt(np.mean(samples**2)) > 4e-4
