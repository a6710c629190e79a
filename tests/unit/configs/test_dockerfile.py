"""The Dockerfile, parsed by BuildKit's own parser: no build runs here, so agreement is checked."""

import importlib.util
import re
import tomllib
from collections.abc import Iterator

import dockerfile
import pytest

from serve_app import __version__
from tests.unit.configs.strict import PROFILES, ROOT, read

COMMANDS: tuple[dockerfile.Command, ...] = dockerfile.parse_file(str(ROOT / "Dockerfile"))


def stages() -> dict[str, list[dockerfile.Command]]:
    found: dict[str, list[dockerfile.Command]] = {}
    for command in COMMANDS:
        if command.cmd == "FROM":
            found[command.value[-1]] = []
        elif found:
            list(found.values())[-1].append(command)
    return found


def of(stage: str, cmd: str) -> list[tuple[str, ...]]:
    return [command.value for command in stages()[stage] if command.cmd == cmd]


def arguments() -> dict[str, str]:
    """The ARGs before the first stage, and the versions inside one."""
    pairs = [command.value[0].partition("=") for command in COMMANDS if command.cmd == "ARG"]
    return {name: value.strip('"') for name, equals, value in pairs if equals}


def copied_from_the_repository() -> Iterator[str]:
    for command in COMMANDS:
        if command.cmd == "COPY" and not any(flag.startswith("--from") for flag in command.flags):
            *sources, _ = command.value
            yield from sources


def test_the_gpu_image_is_the_default() -> None:
    assert list(stages()) == [
        *("uv", "flash-none", "flash-source", "gpu-build", "cpu-build", "cpu", "gpu")
    ]


def test_flash_attention_is_compiled_where_it_is_asked_for_only() -> None:
    (build,) = [c.value[0] for c in COMMANDS if c.cmd == "FROM" and c.value[-1] == "gpu-build"]
    assert build == "flash-${FLASH_ATTN}"
    assert arguments()["FLASH_ATTN"] == "none"
    (compiled,) = [run for (run,) in of("flash-source", "RUN") if "flash-attn" in run]
    assert "flash-attn==${FLASH_ATTN_VERSION}" in compiled


def test_the_gpu_image_can_compile_kernels() -> None:
    (packages,) = [run for (run,) in of("gpu", "RUN") if "apt-get install" in run]
    assert " gcc libc6-dev " in packages


@pytest.mark.parametrize("path", sorted(set(copied_from_the_repository())))
def test_what_is_copied_is_there_and_not_ignored(path: str) -> None:
    assert (ROOT / path).exists()
    let_through = [
        line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line[:1] == "!"
    ]
    assert any(path == each or path.startswith(f"{each}/") for each in let_through)


def test_stages_are_copied_from_stages_that_exist() -> None:
    sources = [
        flag.removeprefix("--from=")
        for command in COMMANDS
        for flag in command.flags
        if flag.startswith("--from=")
    ]
    assert set(sources) <= set(stages())


def test_variables_are_declared_in_the_stage_that_uses_them() -> None:
    """An ARG of before the first FROM is empty inside a stage unless it is named again."""
    ours = set(arguments())
    for name, commands in stages().items():
        declared: set[str] = set()
        for command in commands:
            if command.cmd == "ARG":
                declared.add(command.value[0].partition("=")[0])
            used = set(re.findall(r"\$\{(\w+)\}", command.original)) & ours
            assert used <= declared, f"{name}: {command.original}"


def test_python_is_the_one_the_project_is_checked_with() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    version = arguments()["PYTHON_VERSION"]
    assert version == project["tool"]["mypy"]["python_version"]
    low, high = re.fullmatch(
        r">=3\.(\d+),<3\.(\d+)", project["project"]["requires-python"]
    ).groups()  # type: ignore[union-attr]
    assert int(low) <= int(version.removeprefix("3.")) < int(high)


def test_torch_and_flash_attention_are_built_for_the_cuda_of_the_image() -> None:
    major, minor, _ = arguments()["CUDA_VERSION"].split(".")
    (install,) = [run for (run,) in of("flash-none", "RUN") if "requirements.lock" in run]
    assert f"--torch-backend cu{major}{minor}" in install
    for stage, flavour in {"flash-none": "base", "flash-source": "devel", "gpu": "base"}.items():
        (base,) = [
            command.value[0]
            for command in COMMANDS
            if command.cmd == "FROM" and command.value[-1] == stage
        ]
        assert base == f"nvidia/cuda:${{CUDA_VERSION}}-{flavour}-ubuntu24.04"


def test_the_lock_has_what_the_image_is_built_around() -> None:
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    lock = dict(line.split("==") for line in lines if "==" in line)
    assert (
        lock["ray"]
        == read("configs/kuberay/base/rayservice.yaml")["spec"]["rayClusterConfig"]["rayVersion"]
    )
    # FlashAttention 2.8 is C++17, and torch's headers want C++20 from 2.14 on.
    assert lock["torch"].startswith("2.13.")
    assert "einops" in lock  # what FlashAttention imports, installed without its dependencies
    # A build for one kind of machine could not be installed on the other.
    assert not any("+" in version for version in lock.values())


def test_labels_agree_with_the_project_and_with_kuberay() -> None:
    (words,) = of("gpu", "LABEL")
    labels = {name: value.strip('"') for name, value in zip(words[::2], words[1::2], strict=True)}
    cluster = read("configs/kuberay/base/rayservice.yaml")["spec"]["rayClusterConfig"]
    assert labels["org.opencontainers.image.version"] == __version__
    assert labels["io.ray.version"] == cluster["rayVersion"]
    assert labels["io.python.version"] == "${PYTHON_VERSION}"


@pytest.mark.parametrize("stage", ["cpu", "gpu"])
def test_the_image_runs_a_profile_without_privileges(stage: str) -> None:
    assert of(stage, "USER") == [("1000:1000",)]
    assert ("8000",) in of(stage, "EXPOSE")
    assert len(of(stage, "HEALTHCHECK")) == 1
    assert "/health" in " ".join(of(stage, "HEALTHCHECK")[0])
    python, minus_m, module, profile, *_ = of(stage, "CMD")[0]
    assert (python, minus_m) == ("python", "-m")
    assert importlib.util.find_spec(module) is not None
    assert profile in PROFILES
    assert any(profile in sources for *sources, _ in of(stage, "COPY"))
    ports = {read(profile)["http_options"]["port"] for profile in PROFILES}
    assert ports == {8000}
    # The user of the image is the one of the pods.
    head = read("configs/kuberay/base/rayservice.yaml")["spec"]["rayClusterConfig"]["headGroupSpec"]
    assert head["template"]["spec"]["securityContext"]["runAsUser"] == 1000


def test_no_secret_is_baked() -> None:
    text = (ROOT / "Dockerfile").read_text()
    for command in COMMANDS:
        if command.cmd in {"ARG", "ENV"}:
            assert not {"HF_TOKEN", "ADMIN_KEY"} & set(re.findall(r"\w+", command.original))
    assert "--mount=type=secret,id=hf_token,env=HF_TOKEN" in text


def test_the_laptops_address_is_opened_up_in_the_container() -> None:
    (edit,) = [run for (run,) in of("cpu", "RUN") if "sed" in run]
    old, new = re.findall(r"s/(.+?)/(.+?)/", edit)[0]
    opened = (ROOT / "configs/cpu.yaml").read_text().replace(old, new)
    assert opened.count("host: 0.0.0.0") == 1
