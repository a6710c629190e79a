"""The wheel, built from what the Dockerfile copies: images and `pip install .` get no more."""

import shutil
import subprocess
import sys
import tomllib
import zipfile
from configparser import ConfigParser
from importlib import import_module

import pytest

from tests.unit.configs.strict import ROOT

PACKAGES = ("serve_app", "deployments", "interchange", "configs")
OF_DEVELOPERS = (".md", ".d.ts")
"""Endings of files that only those read who change the program."""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    folder = tmp_path_factory.mktemp("wheel")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    for name in PACKAGES:
        shutil.copytree(
            ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info")
        )
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    build = ["wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", "dist", "."]
    subprocess.run([*pip, *build], cwd=folder, check=True)
    (built,) = folder.glob("dist/*.whl")
    return zipfile.ZipFile(built)


def metadata(wheel: zipfile.ZipFile, name: str) -> str:
    (path,) = [each for each in wheel.namelist() if each.endswith(f".dist-info/{name}")]
    return wheel.read(path).decode()


@pytest.mark.slow
def test_it_holds_every_file_of_the_packages(wheel: zipfile.ZipFile) -> None:
    files = {
        str(path.relative_to(ROOT))
        for name in PACKAGES
        for path in (ROOT / name).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
        if not path.name.endswith(OF_DEVELOPERS)
    }
    assert files <= set(wheel.namelist())


def test_it_brings_the_command(wheel: zipfile.ZipFile) -> None:
    entries = ConfigParser()
    entries.read_string(metadata(wheel, "entry_points.txt"))
    module, _, function = entries["console_scripts"]["rayscribe"].partition(":")
    assert callable(getattr(import_module(module), function))
    assert f"{module.replace('.', '/')}.py" in wheel.namelist()


def test_it_says_what_it_is_and_under_which_licence(wheel: zipfile.ZipFile) -> None:
    said = metadata(wheel, "METADATA")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert f"License-Expression: {project['license']}" in said
    assert said.endswith((ROOT / "README.md").read_text())
    assert metadata(wheel, "licenses/LICENSE") == (ROOT / "LICENSE").read_text()
