"""Measures, and the documents, rules and panels that name them."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from interchange.measures import MEASURES, PREFIX, Kind, Measure, heard_by
from tests.support.figures import Figures

ROOT = Path(__file__).parents[3]
OBSERVE = ROOT / "configs" / "observe"
OF_SERVE = {"ray_serve_deployment_replica_healthy"}

_SUFFIXES: dict[Kind, tuple[str, ...]] = {
    "counter": ("_total",),
    "gauge": ("",),
    "histogram": ("_bucket", "_sum", "_count"),
}


def exported(measure: Measure) -> set[str]:
    """The names under which Prometheus finds a measure: Ray adds its own prefix."""
    return {f"ray_{PREFIX}{measure.name}{suffix}" for suffix in _SUFFIXES[measure.kind]}


KNOWN = OF_SERVE.union(*map(exported, MEASURES))
LABELS = {label for measure in MEASURES for label in measure.labels} | {"deployment", "le"}


def rules() -> list[dict[str, Any]]:
    (group,) = yaml.safe_load((OBSERVE / "alerts.yaml").read_text())["groups"]
    found: list[dict[str, Any]] = group["rules"]
    return found


def panels() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((OBSERVE / "dashboard.json").read_text())["panels"]
    return found


def expressions() -> list[str]:
    shown = [target["expr"] for panel in panels() for target in panel["targets"]]
    return shown + [rule["expr"] for rule in rules()]


@pytest.mark.parametrize("expression", expressions())
def test_rules_and_panels_name_what_there_is(expression: str) -> None:
    assert set(re.findall(r"ray_[a-z_]+", expression)) <= KNOWN
    named = re.findall(r"by \(([^)]*)\)|\{([a-z_]+)=", expression)
    assert {one.strip() for pair in named for one in ",".join(pair).split(",")} - {""} <= LABELS


def test_every_measure_is_shown() -> None:
    shown = " ".join(expressions())
    assert [m.name for m in MEASURES if not any(name in shown for name in exported(m))] == []


def test_the_document_has_every_measure_and_every_alert() -> None:
    document = (ROOT / "docs" / "operations.md").read_text()
    for measure in MEASURES:
        labels = ", ".join(f"`{label}`" for label in measure.labels)
        row = f"| `{PREFIX}{measure.name}` | {measure.kind} | {labels} | {measure.description} |"
        assert row in document
    assert [rule["alert"] for rule in rules()] == re.findall(r"^### (\w+)$", document, re.MULTILINE)


@pytest.mark.skipif(shutil.which("promtool") is None, reason="Prometheus is not installed")
def test_prometheus_accepts_its_configuration() -> None:
    check = ["promtool", "check", "config", str(OBSERVE / "prometheus.yaml")]
    done = subprocess.run(check, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_figures_go_to_who_listens_and_nowhere_afterwards() -> None:
    (measure,) = [m for m in MEASURES if m.name == "requests"]
    with heard_by(Figures()) as figures:
        measure.record(surface="jobs", status="200")
    measure.record(surface="jobs", status="500")
    assert figures.of(measure, surface="jobs") == [1.0]
    assert figures.of(measure, status="500") == []
