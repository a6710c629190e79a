from pathlib import Path

import huggingface_hub.errors as hub
import pytest
from httpx2 import Request, Response

from deployments.models import resolve as module
from deployments.models.resolve import gated, resolve
from deployments.models.wheels import WeightsUnavailable
from interchange.errors import MissingToken

COMMUNITY = "pyannote/speaker-diarization-community-1"


def test_a_folder_is_itself(tmp_path: Path) -> None:
    assert resolve(str(tmp_path)) == tmp_path


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsUnavailable, match=r"folder .*gone does not exist"):
        resolve(str(tmp_path / "gone"))


@pytest.mark.parametrize("name", ["what is this?", "a/b/c", "bundled:nothing"])
def test_a_name_that_is_no_model_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"is not a model's name|There is no bundled model"):
        resolve(name)


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (COMMUNITY, True),
        ("pyannote/speaker-diarization-3.1", True),
        ("openai/whisper-large-v3", False),
        ("bundled:diarization", False),
        ("./pyannote/speaker-diarization-3.1", False),
    ],
)
def test_only_pyannote_s_models_on_the_hub_are_gated(model: str, expected: bool) -> None:
    assert gated(model) is expected


def test_a_folder_named_like_a_gated_model_is_not_gated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / COMMUNITY).mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert not gated(COMMUNITY)


def test_a_gated_model_without_a_token_asks_for_one() -> None:
    with pytest.raises(MissingToken, match="HF_TOKEN is not set"):
        resolve(COMMUNITY)


@pytest.mark.parametrize(
    ("error", "expected", "sentence"),
    [
        (hub.GatedRepoError, MissingToken, "the hub refused access"),
        (hub.RepositoryNotFoundError, WeightsUnavailable, "The hub knows no model"),
        (hub.RevisionNotFoundError, WeightsUnavailable, "has no revision v9"),
        (hub.LocalEntryNotFoundError, WeightsUnavailable, "could not be reached"),
    ],
)
def test_what_the_hub_says_becomes_a_sentence(
    monkeypatch: pytest.MonkeyPatch,
    error: type[Exception],
    expected: type[Exception],
    sentence: str,
) -> None:
    def refuse(*args: object, **kwargs: object) -> str:
        if issubclass(error, hub.HfHubHTTPError):
            raise error("refused", response=Response(404, request=Request("GET", "https://hub")))
        raise error("refused")

    monkeypatch.setattr(module, "snapshot_download", refuse)
    with pytest.raises(expected, match=sentence):
        resolve(COMMUNITY, revision="v9", token="hf_token")
