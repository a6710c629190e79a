import os
import pickle
from ipaddress import ip_network

import pytest
from pydantic import ValidationError

from configs.secrets import Secrets
from configs.settings import OTHER_VARIABLES, Settings, usable_cores


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable of the shell that runs the tests decides them."""
    for name in list(os.environ):
        if name.upper().startswith("RAYSCRIBE_") or name in {"ADMIN_KEY", "HF_TOKEN"}:
            monkeypatch.delenv(name)


def test_a_profile_fills_the_tree() -> None:
    settings = Settings.from_args(
        {"recognition": {"model": "openai/whisper-large-v3", "slots": 32}, "windows_in_flight": 7}
    )
    assert settings.recognition.model == "openai/whisper-large-v3"
    assert settings.recognition.slots == 32
    assert settings.windows_in_flight == 7
    assert settings.diarization == Settings.from_args({}).diarization


def test_the_environment_overrides_the_profile_one_value_at_a_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("RAYSCRIBE_RECOGNITION__MODEL", "openai/whisper-tiny")
    monkeypatch.setenv("RAYSCRIBE_WINDOWS_IN_FLIGHT", "3")
    settings = Settings.from_args({"recognition": {"model": "other", "slots": 5}})
    assert settings.recognition.model == "openai/whisper-tiny"
    assert settings.recognition.slots == 5
    assert settings.windows_in_flight == 3


@pytest.mark.parametrize(
    ("args", "place"),
    [
        ({"recogniton": {}}, "recogniton"),
        ({"recognition": {"modle": "x"}}, "recognition.modle"),
        ({"audio": {"window_s": 31}}, "audio.window_s"),
        ({"audio": {"vad_threshold": 1}}, "audio.vad_threshold"),
        ({"recognition": {"slots": 0}}, "recognition.slots"),
        ({"recognition": {"device": "tpu"}}, "recognition.device"),
        ({"diarization": {"dtype": "float16"}}, "diarization.dtype"),
        ({"fetch": {"max_bytes": -1}}, "fetch.max_bytes"),
    ],
)
def test_what_cannot_be_is_refused_by_its_place(args: dict[str, object], place: str) -> None:
    with pytest.raises(ValidationError) as error:
        Settings.from_args(args)
    assert [".".join(map(str, each["loc"])) for each in error.value.errors()] == [place]


@pytest.mark.parametrize(
    "variable",
    ["RAYSCRIBE_ALOWED_NETWORKS", "RAYSCRIBE_RECOGNITON__MODEL", "rayscribe_slots"],
)
def test_a_misspelt_variable_is_refused_by_its_name(
    monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, "1")
    with pytest.raises(ValidationError, match=f"variable {variable} names no setting"):
        Settings.from_args({})


def test_a_misspelt_variable_of_a_section_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAYSCRIBE_RECOGNITION__MODLE", "x")
    with pytest.raises(ValidationError, match=r"recognition\.modle"):
        Settings.from_args({})


@pytest.mark.parametrize("variable", sorted(OTHER_VARIABLES))
def test_variables_that_others_read_are_let_be(
    monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, "x")
    assert Settings.from_args({}) == Settings.from_args({})


@pytest.mark.parametrize(
    ("given", "networks"),
    [
        ("", []),
        (" , ", []),
        ("10.0.0.0/8", ["10.0.0.0/8"]),
        ("10.0.0.0/8, fd00::/8 ,192.168.1.7", ["10.0.0.0/8", "fd00::/8", "192.168.1.7/32"]),
    ],
)
def test_networks_come_as_a_list_with_commas(
    monkeypatch: pytest.MonkeyPatch, given: str, networks: list[str]
) -> None:
    expected = tuple(ip_network(network) for network in networks)
    assert Settings.from_args({"allowed_networks": given}).allowed_networks == expected
    monkeypatch.setenv("RAYSCRIBE_ALLOWED_NETWORKS", given)
    assert Settings.from_args({}).allowed_networks == expected


def test_networks_of_a_profile_may_be_a_list() -> None:
    settings = Settings.from_args({"allowed_networks": ["127.0.0.0/8"]})
    assert settings.allowed_networks == (ip_network("127.0.0.0/8"),)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ("10.0.0/8", "'10.0.0/8' is not a network in CIDR notation"),
        ("10.0.0.1/8", "has host bits set"),
        ("example.org", "'example.org' is not a network"),
        (5, "separated by commas"),
    ],
)
def test_a_bad_network_is_named(given: object, sentence: str) -> None:
    with pytest.raises(ValidationError, match=sentence):
        Settings.from_args({"allowed_networks": given})


def test_secrets_come_from_the_environment_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Secrets().admin_key is None
    monkeypatch.setenv("ADMIN_KEY", "open sesame")
    monkeypatch.setenv("HF_TOKEN", "hf_x")
    secrets = Secrets()
    assert (secrets.admin_key, secrets.hub_token) == ("open sesame", "hf_x")
    assert "sesame" not in repr(secrets)
    assert "hf_x" not in repr(secrets)
    for secret in ("admin_key", "hub_token", "ADMIN_KEY", "HF_TOKEN"):
        with pytest.raises(ValidationError, match=secret):
            Settings.from_args({secret: "x"})


def test_an_empty_admin_key_counts_as_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADMIN_KEY", "")
    assert Secrets().admin_key == ""


def test_settings_cross_to_replicas_unchanged(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings.from_args({"allowed_networks": "10.0.0.0/8"})
    monkeypatch.setenv("RAYSCRIBE_WINDOWS_IN_FLIGHT", "1")
    assert pickle.loads(pickle.dumps(settings)) == settings


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Settings.from_args({}).recognition.slots = 9  # type: ignore[misc]


def test_no_thread_count_means_every_core() -> None:
    settings = Settings.from_args({"recognition": {"threads": 3}})
    assert settings.recognition.cpu_threads == 3
    assert settings.diarization.cpu_threads == usable_cores() >= 1
