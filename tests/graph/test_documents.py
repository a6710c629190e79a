"""Every example of the README, the guide for contributors and docs/, as a reader would type it.

A block in `sh` is run in a folder with a recording, against a running service; a block in `text`
after it is what it prints, with `…` for what differs from one run to the next. What nobody can
run here says so by `<!-- skip: next "reason" -->`.
"""

import doctest
import os
import re
import subprocess
import sys
from pathlib import Path
from shutil import copy
from unittest import SkipTest

import pytest
import yaml
from ray.serve.schema import ServeDeploySchema
from sybil import Document, Example, Sybil
from sybil.parsers.markdown import CodeBlockParser, PythonCodeBlockParser, SkipParser
from sybil.parsers.markdown.lexers import RawFencedCodeBlockLexer

from tests.support.recordings.speech import SAMPLE
from tests.support.running.service import ROOT, Service

DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(ROOT.glob("docs/*.md"))]

LANGUAGES = {"sh", "text", "python", "yaml", "html", "mermaid"}
"""Of fenced blocks. A page is opened by `tests/page`. A drawing is nothing that could be run, and
GitHub shows what is wrong."""

PRELUDE = """
set -euo pipefail
curl() { command curl --fail-with-body --silent --show-error --max-time 300 "$@"; }
# What these do takes minutes: asked is whether it exists, and takes such arguments.
make() { command make --dry-run --directory "$REPOSITORY" "$@" > /dev/null; }
python() { (cd "$REPOSITORY" && command python "$@" --help > /dev/null); }
pytest() { (cd "$REPOSITORY" && command pytest --collect-only "$@" > /dev/null); }
"""


def run(example: Example) -> str | None:
    """Run a block by bash. What it prints is kept for the block after it."""
    folder, service = example.namespace["folder"], example.namespace["service"]
    done = subprocess.run(
        ["bash", "-c", PRELUDE + example.parsed.replace("http://127.0.0.1:8000", service)],
        cwd=folder,
        env={
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "REPOSITORY": str(ROOT),
            "RAYSCRIBE_SERVER": service,
        },
        check=False,
        capture_output=True,
        text=True,
        timeout=300,
    )
    example.namespace["printed"] = done.stdout
    return f"{done.stdout}{done.stderr}exit {done.returncode}" if done.returncode else None


def compare(example: Example) -> str | None:
    """Compare a block with what the one before it printed."""
    wanted, printed = example.parsed.replace("…", "..."), example.namespace["printed"]
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    if doctest.OutputChecker().check_output(wanted, printed, flags):
        return None
    return f"It printed\n{printed}"


def accept(example: Example) -> None:
    """A block of YAML is a part of a profile, which Serve takes beside the rest."""
    part = yaml.safe_load(example.parsed)
    assert part.keys() <= ServeDeploySchema.model_fields.keys()
    profile = yaml.safe_load((ROOT / "configs" / "cpu.yaml").read_text())
    ServeDeploySchema.model_validate(profile | part)


SYBIL = Sybil(
    [
        SkipParser(),
        CodeBlockParser("sh", run),
        CodeBlockParser("text", compare),
        CodeBlockParser("yaml", accept),
        PythonCodeBlockParser(),
    ]
)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_examples(
    path: Path, running_service: Service, tmp_path: Path, subtests: pytest.Subtests
) -> None:
    copy(SAMPLE, tmp_path / "sample.wav")
    (tmp_path / ".venv").symlink_to(sys.prefix)
    document = SYBIL.parse(path)
    document.namespace.update(folder=tmp_path, service=running_service.url)
    for example in document.examples():
        with subtests.test(line=example.line):
            try:
                example.evaluate()
            except SkipTest as reason:
                pytest.skip(str(reason))


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_a_block_says_what_it_is(path: Path) -> None:
    """One of another language would be run by nobody."""
    lexer = RawFencedCodeBlockLexer(re.compile(r"(?P<language>.*)\n"))
    blocks = lexer(Document(path.read_text(), str(path)))
    assert {block.lexemes["language"] for block in blocks} <= LANGUAGES
