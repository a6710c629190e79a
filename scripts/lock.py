"""Write requirements.lock (what a service runs on), requirements-dev.lock (what tests add) and
requirements-bench.lock (what comparing with peers adds to both).

pip resolves pyproject.toml without installing anything. A lock names packages and exact
versions only: where they come from is a matter of the configuration of whoever installs them.
Run it by `make lock`; constrain it, where a version must not rise, by `PIP_CONSTRAINT=FILE`.
"""

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RUNTIME, DEV = ROOT / "requirements.lock", ROOT / "requirements-dev.lock"
BENCH = ROOT / "requirements-bench.lock"
# The version that was tested; later ones are allowed by pyproject.toml, for GPUs that need them.
TORCH = "torch==2.13.0"
# A torch for CUDA brings these; one for CPUs does not, and the lock serves both.
CUDA_ONLY = re.compile(r"nvidia|cuda|triton")


def main() -> None:
    runtime = resolve(".")
    tested = resolve(".[dev]", *runtime)
    compared = resolve(".[dev,bench]", *tested)
    header = "# Written by `make lock` from pyproject.toml; do not edit.\n"
    RUNTIME.write_text(header + "".join(f"{pin}\n" for pin in runtime))
    print(f"{RUNTIME.name}: {len(runtime)} packages")
    for lock, pins, below, lower in (
        (DEV, tested, RUNTIME, runtime),
        (BENCH, compared, DEV, tested),
    ):
        added = [pin for pin in pins if pin not in lower]
        lock.write_text(header + f"-r {below.name}\n" + "".join(f"{pin}\n" for pin in added))
        print(f"{lock.name}: {len(added)} more")


def resolve(project: str, *pins: str) -> list[str]:
    """The exact versions that pip would install for `project` into an empty environment."""
    print(f"Resolving {project} (a minute or two)", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed"]
        command += ["--quiet", "--report", str(report), TORCH, project, *pins]
        subprocess.run(command, cwd=ROOT, check=True)
        packages = [item["metadata"] for item in json.loads(report.read_text())["install"]]
    return sorted(
        # A local label ("+cpu") says which index a build came from, and others may not have it.
        f"{package['name'].lower().replace('_', '-')}=={package['version'].partition('+')[0]}"
        for package in packages
        if package["name"] != "rayscribe" and not CUDA_ONLY.search(package["name"].lower())
    )


if __name__ == "__main__":
    main()
