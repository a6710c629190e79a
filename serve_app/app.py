"""The graph: the one place where deployments are bound together."""

from collections.abc import Mapping
from typing import Any

from ray.serve import Application

from configs.settings import Settings
from deployments.audio.deployment import AudioLoader
from deployments.diarization.deployment import SpeakerDiarizer
from deployments.jobs.deployment import JobManager
from deployments.recognition.deployment import SpeechRecognizer
from serve_app.ingress import Ingress


def build(args: Mapping[str, Any]) -> Application:
    """The application of a profile; `args` are its settings (`configs.settings.Settings`).

    Raises pydantic's ValidationError for a setting that does not exist or cannot be.
    """
    settings = Settings.from_args(args)
    stages = {
        "loader": _bind(AudioLoader, settings),
        "recognizer": _bind(SpeechRecognizer, settings),
        "diarizer": _bind(SpeakerDiarizer, settings),
    }
    jobs = _bind(JobManager, settings, **stages)
    return _bind(Ingress, settings, **stages, jobs=jobs)


def _bind(deployment: Any, *args: object, **kwargs: object) -> Application:
    """`deployment.bind`, which a type checker does not see: it skips class decorators."""
    return deployment.bind(*args, **kwargs)
