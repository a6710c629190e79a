"""The tables: whole shards, and what they say is done. On disk, and in a store of objects."""

import json
import multiprocessing
import os
import signal
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import fsspec
import pyarrow.parquet
import pytest

from interchange.errors import ServerError, Unavailable, UndecodableRecording
from interchange.transcript import Quality, Segment, Transcript, Turn, Word
from serve_app.batch.formats import Format, Table
from serve_app.batch.rows import Row, failure_row, transcript_row
from serve_app.batch.tables import Tables, TargetRefused

ASKED = {"language": None, "speakers": True}
WORD = Word(" hello", 0.5, 1.25, 0.98765, "SPEAKER_00")
SPOKEN = Transcript(
    (Segment(0.5, 1.25, " hello", "en", words=(WORD,), speaker="SPEAKER_00"),),
    "en",
    3.0,
    turns=(Turn(0.4, 1.3, "SPEAKER_00"),),
    quality=Quality(transcribed=0.75, silent=2.25, notes=("It ends early.",)),
)
SILENT = Transcript((), "und", 2.0)


@pytest.fixture(params=["disk", "store"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "disk":
        yield str(tmp_path / "out")
        return
    yield "memory://out"
    fsspec.filesystem("memory").rm("/out", recursive=True)


@contextmanager
def tables(url: str, form: Format = Format.JSONL, **asked: Any) -> Iterator[Tables]:
    with closing(Tables(url, form)) as begun:
        begun.begin(ASKED | asked)
        yield begun


def rows(url: str, table: Table) -> list[Row]:
    files, root = fsspec.core.url_to_fs(url)
    found: list[Row] = []
    folder = f"{root}/{table}"
    for name in sorted(files.ls(folder, detail=False)) if files.exists(folder) else ():
        with files.open(name, "rb") as file:
            if name.endswith(".parquet"):
                found += pyarrow.parquet.read_table(file).to_pylist()
            else:
                found += map(json.loads, file)
    return found


FAILED = failure_row("b.wav", UndecodableRecording("It is no audio."))
BROKEN = failure_row("c.wav", Unavailable("No room."))


@pytest.mark.parametrize("form", Format)
def test_what_is_written_is_read_again_and_done(url: str, form: Format) -> None:
    with tables(url, form) as first:
        first.write("transcripts", [transcript_row("a.wav", SPOKEN)])
        first.write("transcripts", [transcript_row("s.wav", SILENT)])
        first.write("failures", [FAILED])
    with tables(url, form) as second:
        assert second.done() == {"a.wav", "s.wav", "b.wav"}
    assert rows(url, "transcripts") == [
        {
            "path": "a.wav",
            "duration": 3.0,
            "language": "en",
            "text": "hello",
            "segments": [
                {
                    "start": 0.5,
                    "end": 1.25,
                    "text": "hello",
                    "language": "en",
                    "speaker": "SPEAKER_00",
                    "overlap": False,
                    "channel": None,
                    "avg_logprob": 0.0,
                    "no_speech_prob": 0.0,
                    "compression_ratio": 1.0,
                }
            ],
            "words": [
                {
                    "word": "hello",
                    "start": 0.5,
                    "end": 1.25,
                    "probability": 0.988,
                    "speaker": "SPEAKER_00",
                    "overlap": False,
                }
            ],
            "speakers": [{"start": 0.4, "end": 1.3, "speaker": "SPEAKER_00"}],
            "quality": {
                "transcribed": 0.75,
                "silent": 2.25,
                "silence_score": 1.0,
                "decoded_again": 0.0,
                "failed": 0.0,
                "channels": 1,
                "notes": ["It ends early."],
            },
        },
        transcript_row("s.wav", SILENT),
    ]
    assert rows(url, "failures") == [FAILED]


def test_columns_of_parquet_have_types_whatever_the_rows_hold(tmp_path: Path) -> None:
    with tables(str(tmp_path), Format.PARQUET) as written:
        written.write("transcripts", [transcript_row("s.wav", SILENT)])
        written.write("transcripts", [transcript_row("a.wav", SPOKEN)])
    silent, spoken = (
        pyarrow.parquet.read_schema(path) for path in sorted(tmp_path.glob("transcripts/*"))
    )
    assert silent == spoken


def test_shards_of_both_formats_may_lie_beside_each_other(url: str) -> None:
    for form in Format:
        with tables(url, form) as written:
            written.write("transcripts", [transcript_row(f"{form}.wav", SILENT)])
    with tables(url) as read:
        assert read.done() == {"jsonl.wav", "parquet.wav"}


def test_other_options_are_refused(url: str) -> None:
    with tables(url):
        pass
    other = tables(url, language="en")
    with pytest.raises(TargetRefused, match=r"begun with other options \(language=None\)"):
        other.__enter__()


def test_failures_of_the_program_are_tried_again_and_others_where_that_is_asked(url: str) -> None:
    with tables(url) as first:
        first.write("failures", [FAILED, BROKEN])
        first.write("transcripts", [transcript_row("a.wav", SILENT)])
    with tables(url) as second:
        second.forget_failures(of_recordings=False)
        assert second.done() == {"a.wav", "b.wav"}
        second.forget_failures(of_recordings=False)
        assert rows(url, "failures") == [FAILED]
        second.forget_failures(of_recordings=True)
        assert second.done() == {"a.wav"}
        assert rows(url, "failures") == []


def test_two_batches_do_not_write_to_one_folder(tmp_path: Path) -> None:
    second = tables(str(tmp_path))
    with tables(str(tmp_path)), pytest.raises(TargetRefused, match="Another batch writes"):
        second.__enter__()
    with tables(str(tmp_path)):
        pass


def test_a_file_that_is_no_shard(url: str) -> None:
    with tables(url) as written:
        files, root = fsspec.core.url_to_fs(url)
        files.pipe_file(f"{root}/transcripts/part-9.jsonl", b'{"path": "a.wav"')
        with pytest.raises(TargetRefused, match=r"part-9\.jsonl is no shard"):
            written.done()


def test_parquet_without_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(ServerError, match=r"pip install 'rayscribe\[batch\]'"):
        Tables(str(tmp_path), Format.PARQUET)


def _write_without_end(folder: str) -> None:
    with tables(folder) as written:
        number = 0
        while True:
            row = transcript_row(f"{number}.wav", SPOKEN)
            written.write("transcripts", [row | {"text": "word " * 20_000}] * 20)
            number += 1


@pytest.mark.slow
def test_a_writer_killed_at_any_moment_leaves_whole_shards(tmp_path: Path) -> None:
    for turn in range(3):
        writer = multiprocessing.get_context("spawn").Process(
            target=_write_without_end, args=(str(tmp_path),)
        )
        writer.start()
        before = len(list(tmp_path.glob("transcripts/*.jsonl")))
        while len(list(tmp_path.glob("transcripts/*.jsonl"))) < before + 3 + turn:
            assert writer.is_alive()
            time.sleep(0.001)
        assert writer.pid is not None
        os.kill(writer.pid, signal.SIGKILL)
        writer.join()
        with tables(str(tmp_path)) as next_one:
            assert next_one.done()
            assert not list(tmp_path.glob("transcripts/*.part"))
    assert all(len(row["text"]) == 100_000 for row in rows(str(tmp_path), "transcripts"))
