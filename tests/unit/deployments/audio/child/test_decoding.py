import io
import os
import resource
import signal
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from deployments.audio.child import limits
from deployments.audio.child.children import Child, Children
from deployments.audio.child.decoding import Decoding
from deployments.audio.decode import Decoder
from interchange.errors import (
    NoAudioStream,
    RayscribeError,
    RecordingTooLong,
    Unavailable,
    UndecodableRecording,
)
from interchange.stages import Float32
from tests.support.recordings.media import encode, silent_video, tone
from tests.support.recordings.speech import SPEECH, needs_speech

ROOT = Path(__file__).parents[5]


@pytest.fixture(scope="module")
def children() -> Iterator[Children]:
    made = Children(longest_s=3600)
    yield made
    made.close()


class OnlyOn(io.BytesIO):
    def seekable(self) -> bool:
        return False


def here(data: bytes, kind: type[io.BytesIO] = io.BytesIO) -> tuple[Float32, list[str]]:
    decoder = Decoder(kind(data), max_duration_s=3600)
    return np.concatenate(list(decoder)), decoder.notes


def there(
    children: Children, data: bytes, kind: type[io.BytesIO] = io.BytesIO
) -> tuple[Float32, list[str]]:
    decoder = Decoding(children, 3600).decoder(kind(data))
    return np.concatenate(list(decoder)), decoder.notes


FILES = {
    "wav": encode(tone(2.2)),
    "surround": encode(np.stack([tone(2, 200 + 90 * i) for i in range(6)]), "flac", "flac"),
    "mp4, its index at the end": encode(tone(3), "mp4", "aac"),
    "mp3": encode(tone(4, rate=44_100), "mp3", "mp3", rate=44_100),
    "truncated": encode(tone(6), "flac", "flac")[:-30_000],
    "two tracks": encode([tone(1, 300), tone(1, 500)], "matroska", "flac"),
    "parts of several kinds": encode(tone(1), "ogg", "libopus") + encode(tone(1), "ogg", "flac"),
    "larger than what goes over at a time": encode(tone(30, rate=48_000), rate=48_000),
}


@pytest.mark.parametrize("name", FILES)
def test_a_child_makes_of_a_file_what_this_process_would(children: Children, name: str) -> None:
    for kind in (io.BytesIO, OnlyOn):
        if kind is OnlyOn and "index" in name:
            continue
        expected, expected_notes = here(FILES[name], kind)
        samples, notes = there(children, FILES[name], kind)
        np.testing.assert_array_equal(samples, expected)
        assert notes == expected_notes


def test_errors_of_a_file_come_as_they_are(children: Children) -> None:
    with pytest.raises(UndecodableRecording, match="not audio or video"):
        there(children, b"This is text. " * 50)
    with pytest.raises(NoAudioStream, match="without an audio track"):
        there(children, silent_video())
    with pytest.raises(RecordingTooLong):
        list(Decoding(children, longest_s=1).decoder(io.BytesIO(FILES["mp3"])))


class Watched(io.BytesIO):
    """A file at whose n-th reading something happens to the child that reads it."""

    def __init__(
        self, decoding: Decoding, act: Callable[[Child], object], *, when: int = 2
    ) -> None:
        super().__init__(FILES["larger than what goes over at a time"])
        self._decoding = decoding
        self._act = act
        self._when = when
        self._count = 0

    def read(self, size: int | None = -1, /) -> bytes:
        self._count += 1
        if self._count == self._when:
            assert self._decoding._child is not None
            self._act(self._decoding._child)
        return super().read(size)


def watched(children: Children, act: Callable[[Child], object], *, when: int = 2) -> None:
    decoding = Decoding(children, 3600)
    list(decoding.decoder(Watched(decoding, act, when=when)))


def fatal(children: Children, number: signal.Signals) -> None:
    watched(children, lambda child: os.kill(child.pid, number))


@pytest.mark.parametrize(
    ("number", "error", "sentence"),
    [
        (signal.SIGSEGV, UndecodableRecording, "makes the decoder crash"),
        (signal.SIGABRT, UndecodableRecording, "makes the decoder crash"),
        (signal.SIGXCPU, UndecodableRecording, "takes too long"),
        (signal.SIGPROF, UndecodableRecording, "takes too long"),
        (signal.SIGKILL, Unavailable, "was killed"),
    ],
)
def test_what_ends_a_child_says_whose_fault_it_was(
    children: Children, number: signal.Signals, error: type[RayscribeError], sentence: str
) -> None:
    with pytest.raises(error, match=sentence):
        fatal(children, number)


def test_others_are_unharmed(children: Children) -> None:
    expected, _ = here(FILES["mp3"])

    def attack(_: int) -> None:
        with pytest.raises(UndecodableRecording):
            fatal(children, signal.SIGSEGV)

    with ThreadPoolExecutor(8) as pool:
        attacks = [pool.submit(attack, number) for number in range(8)]
        found = [pool.submit(there, children, FILES["mp3"]) for _ in range(8)]
        for hit in attacks:
            hit.result()
        for each in found:
            np.testing.assert_array_equal(each.result()[0], expected)


def test_a_child_that_says_nothing_is_given_up(children: Children) -> None:
    def stop(child: Child) -> None:
        child._socket.settimeout(0.2)
        os.kill(child.pid, signal.SIGSTOP)

    with pytest.raises(UndecodableRecording, match="takes too long"):
        watched(children, stop)


def test_stopping_wakes_up_who_waits(children: Children) -> None:
    decoding = Decoding(children, 3600)
    with pytest.raises(Unavailable):
        list(decoding.decoder(Watched(decoding, lambda _: decoding.stop())))


def test_a_child_is_kept_as_long_as_it_does_well() -> None:
    children = Children(longest_s=60)
    pids: list[int] = []
    try:
        for _ in range(20):
            watched(children, lambda child: pids.append(child.pid))
        assert [pids.count(pid) for pid in dict.fromkeys(pids)] == [16, 4]
        there(children, FILES["wav"])
        with pytest.raises(UndecodableRecording):
            there(children, b"no file")
        watched(children, lambda child: pids.append(child.pid))
        assert pids.count(pids[-1]) == 1
    finally:
        children.close()


def test_another_server_is_started_where_one_is_gone(children: Children) -> None:
    there(children, FILES["wav"])
    assert children._server is not None
    children._server.kill()
    children._server.wait()
    expected, _ = here(FILES["wav"])
    np.testing.assert_array_equal(there(children, FILES["wav"])[0], expected)


def test_another_server_is_started_where_one_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deployments.audio.child.children._END_S", 0.2)
    children = Children(longest_s=60)
    children.take().close()
    assert children._server is not None
    children._server.send_signal(signal.SIGSTOP)
    with monkeypatch.context() as hasty:  # no process starts as fast as this
        hasty.setattr("deployments.audio.child.children._STATUS_S", 0.001)
        with pytest.raises(Unavailable, match="No process"):
            children.take()
    np.testing.assert_array_equal(there(children, FILES["wav"])[0], here(FILES["wav"])[0])
    children.close()


def test_a_child_has_limits_and_none_of_our_secrets(
    children: Children, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "a secret")
    children.close()
    child = children.take()
    pid = child.pid
    for kind, most in (
        (resource.RLIMIT_AS, limits.MEMORY),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, 4),
        (resource.RLIMIT_CPU, 3631),
    ):
        assert resource.prlimit(pid, kind) == (most, most)
    assert b"secret" not in Path(f"/proc/{pid}/environ").read_bytes()
    status = dict(
        line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines()
    )
    assert status["Seccomp"].strip() == "2"
    assert status["NoNewPrivs"].strip() == "1"
    assert status["Threads"].strip() == "1"
    assert len(list(Path(f"/proc/{pid}/fd").iterdir())) == 4
    children.take_back(child)


def greedy_mp4() -> bytes:
    """An MP4 whose tables claim fifty million samples."""
    made = bytearray(encode(tone(0.3), "mp4", "aac"))
    sizes, times = made.index(b"stsz") + 8, made.index(b"stts") + 12
    made[sizes : sizes + 8] = struct.pack(">II", 1, 50_000_000)
    made[times : times + 4] = struct.pack(">I", 50_000_000)
    chunks = made.index(b"stsc") + 16
    made[chunks : chunks + 4] = struct.pack(">I", 50_000_000)
    return bytes(made)


def test_tables_that_claim_gigabytes_are_refused(children: Children) -> None:
    with ThreadPoolExecutor(8) as pool:
        for each in [pool.submit(there, children, greedy_mp4()) for _ in range(8)]:
            with pytest.raises(UndecodableRecording):
                each.result()


@needs_speech
@pytest.mark.speech
def test_the_attack_of_fifty_million_samples_is_refused(children: Children) -> None:
    data = (SPEECH / "attack" / "mp4_50M_samples.mp4").read_bytes()
    with ThreadPoolExecutor(8) as pool:
        for each in [pool.submit(there, children, data) for _ in range(8)]:
            with pytest.raises(UndecodableRecording):
                each.result()


def run(script: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", script], check=False, cwd=ROOT, capture_output=True, text=True
    )


def test_the_server_imports_neither_torch_nor_ray_nor_the_settings() -> None:
    foreign = "{'torch', 'ray', 'onnxruntime', 'pydantic', 'aiohttp', 'fsspec'}"
    done = run(
        "import sys, deployments.audio.child.forkserver\n"
        f"sys.exit(repr({foreign} & set(sys.modules)) if {foreign} & set(sys.modules) else 0)"
    )
    assert done.returncode == 0, done.stderr


def test_a_confined_process_can_neither_open_nor_connect_nor_start_anything() -> None:
    done = run(
        "import os, socket, threading\n"
        "from deployments.audio.child.seccomp import confine\n"
        "thread = threading.Thread(target=print)\n"
        "assert confine()\n"
        "for act in (lambda: open('/etc/passwd'), socket.socket, os.fork, thread.start,\n"
        "            lambda: os.execv('/bin/true', ['true']), lambda: os.unlink('/tmp/x'),\n"
        "            lambda: os.kill(os.getppid(), 0), lambda: os.stat('/etc')):\n"
        "    try:\n"
        "        act()\n"
        "    except (PermissionError, RuntimeError):\n"
        "        continue\n"
        "    print('let through', act)\n"
        "bytearray(10**7)\n"
        "print('done')\n"
    )
    assert done.stdout == "done\n", done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(("progress", "ends"), [("pass", True), ("patience.progress(1)", False)])
def test_patience_ends_only_what_makes_no_progress(progress: str, ends: bool) -> None:
    """Processor time counts, so that a busy machine changes nothing."""
    done = run(
        "import time\n"
        "from deployments.audio.child import limits\n"
        "limits._PATIENCE_S = 0.3\n"
        "patience = limits.Patience()\n"
        "patience.begin()\n"
        "while time.process_time() < 1.5:\n"
        f"    {progress}\n"
    )
    assert done.returncode == (-signal.SIGPROF if ends else 0), done.stderr
