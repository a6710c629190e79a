"""What libraries would tell their makers is kept back, by the real ones."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from interchange.unreported import OFF

QUIET = {name: value for name, value in os.environ.items() if name not in OFF}


@pytest.mark.parametrize(
    ("module", "also"),
    [
        (
            "serve_app.start",
            "import ray._common.usage.usage_lib as u; print(u.usage_stats_enabled())",
        ),
        (
            "deployments.audio.speech.voice_activity",
            "deployments.audio.speech.voice_activity.shared_network(); print(False)",
        ),
        (
            "deployments.diarization.pipeline",
            "from pyannote.audio.telemetry.metrics import is_metrics_enabled as e; print(e())",
        ),
    ],
)
def test_nothing_is_reported(module: str, also: str, tmp_path: Path) -> None:
    said = subprocess.run(
        [sys.executable, "-c", f"import {module}; {also}"],
        env=QUIET | {"TMPDIR": str(tmp_path), "HOME": str(tmp_path)},
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert said.split() == ["False"]
    assert not (tmp_path / ".ses").exists(), "onnxruntime has begun to report"


def test_who_wants_reports_may_have_them() -> None:
    said = subprocess.run(
        [
            sys.executable,
            "-c",
            "import deployments, os; print(os.environ['HF_HUB_DISABLE_TELEMETRY'])",
        ],
        env=QUIET | {"HF_HUB_DISABLE_TELEMETRY": "0"},
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert said.split() == ["0"]
