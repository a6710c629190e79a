"""`rayscribe keys`, and the file it writes."""

import stat
from pathlib import Path

import pytest
from typer.testing import CliRunner

from configs.keys import KeysUnreadable, read_keys
from serve_app.http.gate.keyring import Caller, KeyRing
from serve_app.keys import app


def run(*words: str) -> str:
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    return result.stdout


def fails(*words: str) -> str:
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 2
    return result.stderr


def test_a_key_is_made_listed_used_and_removed(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    where = ("--file", str(file))
    key = run("add", "phone", *where).strip()
    other = run("add", "night", "--scope", "jobs", *where).strip()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert key not in file.read_text()
    assert run("list", *where) == "phone\ttranscribe,jobs\nnight\tjobs\n"
    ring = KeyRing(None, file)
    found = ring.caller(other.encode())
    assert found is not None
    assert found == Caller("night", frozenset({"jobs"}))
    assert ring.caller(b"other") is None
    run("remove", "phone", *where)
    assert run("list", *where) == "night\tjobs\n"
    assert KeyRing(None, file).caller(key.encode()) is None


def test_quotas_are_kept_with_a_key(tmp_path: Path) -> None:
    where = ("--file", str(tmp_path / "keys"))
    key = run("add", "phone", "--hours-a-day", "1.5", "--waiting-jobs", "20", *where).strip()
    run("add", "night", *where)
    assert "phone\ttranscribe,jobs\t1.5 h a day\t20 jobs waiting\n" in run("list", *where)
    caller = KeyRing(None, tmp_path / "keys").caller(key.encode())
    assert caller is not None
    assert (caller.hours_a_day, caller.waiting_jobs) == (1.5, 20)
    assert "--waiting-jobs" in fails("add", "a", "--waiting-jobs", "0", *where)


def test_what_cannot_be(tmp_path: Path) -> None:
    where = ("--file", str(tmp_path / "keys"))
    run("add", "phone", *where)
    assert "already" in fails("add", "phone", *where)
    assert "no name" in fails("add", "a b", *where)
    assert "no key" in fails("remove", "tablet", *where)
    assert "cannot be read" in fails("list", "--file", str(tmp_path / "nowhere"))
    assert "cannot be written" in fails("add", "a", "--file", str(tmp_path / "no" / "where"))


@pytest.mark.parametrize(
    "text",
    [
        "- phone",
        "phone: {sha256: abc, scopes: [jobs]}",
        f"phone: {{sha256: {'a' * 64}, scopes: []}}",
        f"phone: {{sha256: {'a' * 64}, scopes: [all]}}",
        f"a b: {{sha256: {'a' * 64}, scopes: [jobs]}}",
        f"a: {{sha256: {'a' * 64}, scopes: [jobs]}}\nb: {{sha256: {'a' * 64}, scopes: [jobs]}}",
        "phone: [",
    ],
)
def test_a_file_of_keys_that_is_none_says_why_without_its_hashes(tmp_path: Path, text: str) -> None:
    (tmp_path / "keys").write_text(text)
    with pytest.raises(KeysUnreadable) as error:
        read_keys(tmp_path / "keys")
    assert "a" * 64 not in str(error.value)
