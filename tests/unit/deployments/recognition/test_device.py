import importlib.machinery
import importlib.util
from typing import Any

import pytest
import torch

from configs.settings import RecognitionSettings
from deployments.recognition import device
from deployments.recognition.device import DevicePolicy


def choose(**settings: Any) -> DevicePolicy:
    return DevicePolicy.choose(RecognitionSettings(**settings))


def machine(
    monkeypatch: pytest.MonkeyPatch,
    *,
    gpu: bool = True,
    capability: tuple[int, int] = (9, 0),
    flash: bool = True,
    bfloat16: bool = False,
    integers: bool = False,
) -> None:
    """Tell torch of a GPU that need not be there, and of what the CPU multiplies."""
    monkeypatch.setattr(device, "multiplies_bfloat16", lambda: bfloat16)
    for asked in ("multiplies_integers", "integers_are_faster"):
        monkeypatch.setattr(device, asked, lambda: integers)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpu)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _device: capability)
    spec = importlib.machinery.ModuleSpec("flash_attn", None) if flash else None
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name, *rest: spec if name == "flash_attn" else find(name, *rest),
    )


def test_without_a_gpu_auto_is_the_cpu_in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch, gpu=False)
    policy = choose()
    assert (policy.device.type, policy.dtype, policy.attention) == ("cpu", torch.float32, "sdpa")
    assert policy.encode_together == 1
    assert policy.reason == (
        "cpu, torch.float32, sdpa attention: FlashAttention 2 is not used since it needs an "
        "NVIDIA GPU"
    )


def test_a_cpu_without_units_for_bfloat16_multiplies_integers_and_says_why(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    machine(monkeypatch, gpu=False, integers=True)
    policy = choose()
    assert (policy.dtype, policy.between) == (torch.int16, torch.float32)
    assert "torch.int16 (the processor has no units for bfloat16)," in policy.reason
    assert choose(dtype="float32").dtype == torch.float32
    machine(monkeypatch, gpu=False, integers=True, bfloat16=True)
    assert choose().dtype == torch.bfloat16
    assert choose(dtype="int16").dtype == torch.int16


@pytest.mark.parametrize(
    ("gpu", "integers", "where"), [(True, True, "on a GPU"), (False, False, "on one without")]
)
def test_integers_that_are_impossible_are_refused(
    monkeypatch: pytest.MonkeyPatch, gpu: bool, integers: bool, where: str
) -> None:
    machine(monkeypatch, gpu=gpu, integers=integers)
    with pytest.raises(ValueError, match=rf"dtype` is int16, .* would run {where}; use auto"):
        choose(dtype="int16")


def test_a_cpu_that_multiplies_bfloat16_does_so_and_keeps_float32_between(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    machine(monkeypatch, gpu=False, bfloat16=True)
    policy = choose()
    assert (policy.dtype, policy.between) == (torch.bfloat16, torch.float32)
    assert "torch.bfloat16" in policy.reason
    assert choose(dtype="float32").dtype == torch.float32


def test_a_cpu_that_is_to_multiply_bfloat16_keeps_float32_between(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    machine(monkeypatch, gpu=False)
    policy = choose(dtype="bfloat16")
    assert (policy.dtype, policy.between) == (torch.bfloat16, torch.float32)


def test_a_gpu_keeps_one_type(monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch)
    assert choose(dtype="bfloat16").between == torch.bfloat16


def test_with_a_gpu_auto_is_the_gpu_in_float16_with_flash_attention(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    machine(monkeypatch)
    policy = choose()
    assert (policy.device.type, policy.dtype) == ("cuda", torch.float16)
    assert policy.attention == "flash_attention_2"
    assert policy.encode_together > 1
    assert "the GPU and the installation have it" in policy.reason


def test_the_cpu_can_be_wanted_where_there_is_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch)
    policy = choose(device="cpu")
    assert (policy.device.type, policy.dtype, policy.attention) == ("cpu", torch.float32, "sdpa")


def test_a_gpu_that_is_wanted_and_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch, gpu=False)
    with pytest.raises(ValueError, match=r"`recognition\.device` is cuda, but torch finds no GPU"):
        choose(device="cuda")


@pytest.mark.parametrize("name", ["float32", "float16", "bfloat16"])
def test_the_type_can_be_wanted(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    machine(monkeypatch)
    assert choose(dtype=name).dtype == getattr(torch, name)
    assert choose(device="cpu", dtype=name).dtype == getattr(torch, name)


MISSING = [
    pytest.param({"gpu": False}, {}, "it needs an NVIDIA GPU", id="no GPU"),
    pytest.param({}, {"dtype": "float32"}, "it needs float16 or bfloat16", id="float32"),
    pytest.param(
        {"capability": (7, 5)},
        {},
        "it needs a GPU of compute capability 8.0, and this one has 7.5",
        id="an old GPU",
    ),
    pytest.param({"flash": False}, {}, "the package flash-attn is not installed", id="no package"),
]


@pytest.mark.parametrize(("have", "settings", "why"), MISSING)
def test_auto_does_without_flash_attention_and_says_why(
    monkeypatch: pytest.MonkeyPatch, have: dict[str, Any], settings: dict[str, Any], why: str
) -> None:
    machine(monkeypatch, **have)
    policy = choose(**settings)
    assert policy.attention == "sdpa"
    assert policy.reason.endswith(f"FlashAttention 2 is not used since {why}")


@pytest.mark.parametrize(("have", "settings", "why"), MISSING)
def test_flash_attention_that_is_wanted_and_impossible_is_refused(
    monkeypatch: pytest.MonkeyPatch, have: dict[str, Any], settings: dict[str, Any], why: str
) -> None:
    machine(monkeypatch, **have)
    with pytest.raises(ValueError, match=r"is flash_attention_2, but ") as error:
        choose(attention="flash_attention_2", **settings)
    assert why in str(error.value)


@pytest.mark.parametrize("kernel", ["flash_attention_2", "sdpa", "eager"])
def test_the_attention_can_be_wanted(monkeypatch: pytest.MonkeyPatch, kernel: str) -> None:
    machine(monkeypatch)
    policy = choose(attention=kernel)
    assert policy.attention == kernel
    assert policy.reason.endswith("as configured")
