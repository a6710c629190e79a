"""What a measurement leaves behind: a JSON file under benchmarks/results/."""

import json
import platform
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from configs.settings import usable_cores

FOLDER = Path(__file__).parents[1] / "results"

_PACKAGES = ("rayscribe", "ray", "torch", "transformers", "faster-whisper", "ctranslate2")


def write(name: str, results: dict[str, Any]) -> Path:
    """Write results with the machine and the versions they belong to; returns the file."""
    FOLDER.mkdir(exist_ok=True)
    moment = datetime.now(UTC)
    path = FOLDER / f"{name}-{moment:%Y%m%d-%H%M%S}.json"
    document = {"at": moment.isoformat(timespec="seconds"), "machine": machine(), **results}
    path.write_text(json.dumps(document, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    return path


def machine() -> dict[str, Any]:
    return {
        "processor": _processor(),
        "cores": usable_cores(),
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in _PACKAGES},
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
