"""A batch from its command line to its exit code. What its workers do is in tests/cluster."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from serve_app.batch.run import Account, BatchFailed
from serve_app.bulk import run as bulk
from serve_app.cli import app  # type: ignore[attr-defined]
from tests.support.running.service import ROOT


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("a.wav", "b.wav"):
        (folder / name).touch()
    return folder


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "out"


@pytest.fixture
def batch(folder: Path, target: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """The command with its options; `account` is what the workers would have made of it."""
    monkeypatch.setattr("serve_app.start.prepare", lambda profile: None)

    def run(*options: str, account: Account | Exception | None = None, source: Any = None) -> Any:
        def work(*arguments: Any) -> Account:
            run.asked = arguments[2]  # type: ignore[attr-defined]
            if isinstance(account, Exception):
                raise account
            return account or Account(2, done=2)

        monkeypatch.setattr(bulk, "_work", work)
        arguments = ["batch", str(source or folder), "-o", str(target), *options]
        return CliRunner().invoke(app, arguments)

    return run


def test_options_become_the_request_of_every_recording(batch: Any, target: Path) -> None:
    done = batch("--language", "German", "--speakers", "--max-speakers", "3", "--prompt", "Ann")
    assert done.exit_code == 0, done.stderr
    assert "2 of 2 recordings." in done.stderr
    asked = batch.asked
    assert (asked.language, asked.speakers, asked.max_speakers) == ("de", True, 3)
    assert (asked.prompt, asked.priority) == ("Ann", "bulk")
    kept = json.loads((target / "batch.json").read_text())
    assert kept["language"] == "de"
    assert kept["recognition_model"] == ["bundled:whisper-base", None]
    assert kept["diarization_model"] == ["bundled:diarization", None]


@pytest.mark.parametrize(
    ("account", "code"),
    [
        (Account(2, done=1, failed=1), 3),
        (Account(2, done=1, failed=1, program=1), 4),
        (BatchFailed("Nothing goes."), 4),
    ],
)
def test_what_went_wrong_is_told_by_the_exit_code(batch: Any, account: Any, code: int) -> None:
    assert batch(account=account).exit_code == code


def test_other_options_for_the_same_tables_are_refused(batch: Any) -> None:
    assert batch().exit_code == 0
    again = batch("--words")
    assert again.exit_code == 2
    assert "begun with other options (words=False)" in again.stderr


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (("--language", "klingon"), "not a language"),
        (("--num-speakers", "2"), "--speakers"),
        (("--speakers", "--min-speakers", "3", "--max-speakers", "2"), "--max-speakers"),
    ],
)
def test_wrong_usage(batch: Any, options: tuple[str, ...], complaint: str) -> None:
    done = batch(*options)
    assert done.exit_code == 2
    assert complaint in done.stderr


def test_nothing_to_transcribe(batch: Any, tmp_path: Path) -> None:
    done = batch(source=tmp_path / "nowhere")
    assert done.exit_code == 2
    assert "There is nothing at" in done.stderr


def test_a_store_that_cannot_be_reached(batch: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*arguments: Any) -> Any:
        raise RuntimeError("no credentials")

    monkeypatch.setattr(bulk, "recordings", unreachable)
    done = batch()
    assert done.exit_code == 4
    assert "cannot be reached: no credentials" in done.stderr


def test_help_needs_no_ray() -> None:
    """It takes seconds to import, which nobody who asks for help has to wait for."""
    check = (
        "import sys; from typer.testing import CliRunner; from serve_app.cli import app;"
        "done = CliRunner().invoke(app, ['batch', '--help']);"
        "assert 'without a service' in done.stdout, done.stdout;"
        "assert 'ray' not in sys.modules and 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", check], cwd=ROOT, check=True)
