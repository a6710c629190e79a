"""The profiles, checked more strictly than Serve does: it passes over what it does not know."""

from typing import Any

import pytest
from ray.serve.config import AutoscalingConfig
from ray.serve.schema import ServeDeploySchema

from configs.settings import Settings
from deployments.autoscaling import by_seconds
from serve_app.transcription.recording.diarization import IN_FLIGHT
from tests.unit.configs.strict import PROFILES, read, unknown_keys

STAGES = ("Ingress", "AudioLoader", "SpeechRecognizer", "SpeakerDiarizer", "JobManager")

EVERY_DEPLOYMENT_SAYS = {
    "name",
    "max_ongoing_requests",
    "max_queued_requests",
    "health_check_period_s",
    "health_check_timeout_s",
    "graceful_shutdown_wait_loop_s",
    "graceful_shutdown_timeout_s",
    "ray_actor_options",
}


@pytest.fixture(params=PROFILES)
def profile(request: pytest.FixtureRequest) -> dict[str, Any]:
    return read(request.param)


def application(profile: dict[str, Any]) -> dict[str, Any]:
    (only,) = profile["applications"]
    assert isinstance(only, dict)
    return only


def deployments(profile: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {each["name"]: each for each in application(profile)["deployments"]}


def replicas(deployment: dict[str, Any]) -> tuple[int, int]:
    """The least and the most replicas."""
    if "num_replicas" in deployment:
        return deployment["num_replicas"], deployment["num_replicas"]
    scaling = AutoscalingConfig(**deployment["autoscaling_config"])
    return scaling.min_replicas, scaling.max_replicas


def reserved(deployment: dict[str, Any], what: str) -> float:
    return float(deployment["ray_actor_options"].get(what, 0))


def test_serve_knows_every_key(profile: dict[str, Any]) -> None:
    assert list(unknown_keys(profile, ServeDeploySchema)) == []
    ServeDeploySchema.model_validate(profile)


def test_an_unknown_key_would_be_found(profile: dict[str, Any]) -> None:
    profile["http_options"]["prot"] = 1
    app = application(profile)
    app["root"] = "/"
    app["deployments"][0]["ray_actor_options"]["num_gpu"] = 1
    app["deployments"][1].pop("num_replicas", None)
    app["deployments"][1]["autoscaling_config"] = {"min_replica": 1}
    ServeDeploySchema.model_validate(profile)  # Serve itself finds nothing wrong with it.
    assert sorted(unknown_keys(profile, ServeDeploySchema)) == [
        ".applications[0].deployments[0].ray_actor_options.num_gpu",
        ".applications[0].deployments[1].autoscaling_config.min_replica",
        ".applications[0].root",
        ".http_options.prot",
    ]


def test_the_arguments_are_settings(profile: dict[str, Any]) -> None:
    Settings.from_args(application(profile)["args"])


def test_each_stage_says_all_its_limits(profile: dict[str, Any]) -> None:
    assert tuple(deployments(profile)) == STAGES
    for deployment in deployments(profile).values():
        assert EVERY_DEPLOYMENT_SAYS - set(deployment) == set()
        assert ("num_replicas" in deployment) != ("autoscaling_config" in deployment)
        least, most = replicas(deployment)
        assert 1 <= least <= most
        if scaling := deployment.get("autoscaling_config"):
            # A target above what a replica takes could never be reached.
            target = scaling.get("target_ongoing_requests")
            assert target is None or target <= deployment["max_ongoing_requests"]
            assert ("policy" in scaling) != (target is not None)


def test_stages_that_scale_do_so_by_seconds_of_audio(profile: dict[str, Any]) -> None:
    stages = deployments(profile)
    for name in ("AudioLoader", "SpeechRecognizer", "SpeakerDiarizer"):
        if scaling := stages[name].get("autoscaling_config"):
            policy = AutoscalingConfig(**scaling).policy
            assert policy.policy_function == f"{by_seconds.__module__}:{by_seconds.__name__}"
            assert policy.get_policy().__name__ == by_seconds.__name__


def test_what_an_ingress_lets_in_is_never_turned_away_later(profile: dict[str, Any]) -> None:
    """A recording is refused at the door or not at all."""
    settings = Settings.from_args(application(profile)["args"])
    stages = deployments(profile)
    recordings = stages["Ingress"]["max_ongoing_requests"]
    windows = recordings * settings.windows_in_flight
    assert stages["SpeechRecognizer"]["max_queued_requests"] >= windows
    assert stages["SpeakerDiarizer"]["max_queued_requests"] >= recordings
    assert stages["AudioLoader"]["max_queued_requests"] >= recordings
    assert stages["Ingress"]["backpressure_config"]["status_code"] == 429


def test_health_and_cancelling_have_places_of_their_own(profile: dict[str, Any]) -> None:
    settings = Settings.from_args(application(profile)["args"])
    places = deployments(profile)["Ingress"]["max_ongoing_requests"]
    assert settings.admission.max_requests <= places - 64


def test_a_job_that_was_claimed_is_never_turned_away_later(profile: dict[str, Any]) -> None:
    """Serve counts what a queue may hold for each caller, and a job manager is one."""
    settings = Settings.from_args(application(profile)["args"])
    stages = deployments(profile)
    windows = settings.jobs.concurrency * settings.windows_in_flight
    assert stages["SpeechRecognizer"]["max_queued_requests"] >= windows
    for stage in ("AudioLoader", "SpeakerDiarizer"):
        assert stages[stage]["max_queued_requests"] >= settings.jobs.concurrency


def test_no_profile_names_a_database_with_its_password(profile: dict[str, Any]) -> None:
    """One machine uses the SQLite file of the settings; more name a server by a secret."""
    settings = Settings.from_args(application(profile)["args"])
    assert settings.jobs.database_url.startswith("sqlite:")


def test_a_recognizer_sees_more_windows_than_it_has_slots(profile: dict[str, Any]) -> None:
    """Its own queue is the fair one; Serve's takes the first that came."""
    slots = Settings.from_args(application(profile)["args"]).recognition.slots
    recognizer = deployments(profile)["SpeechRecognizer"]
    assert recognizer["max_ongoing_requests"] >= 4 * slots


def test_a_diarizer_sees_more_stretches_than_one_recording_asks_for(
    profile: dict[str, Any],
) -> None:
    """Its own order is the fair one here too."""
    assert deployments(profile)["SpeakerDiarizer"]["max_ongoing_requests"] >= 4 * IN_FLIGHT


def test_event_streams_are_not_cut(profile: dict[str, Any]) -> None:
    assert profile["http_options"]["request_timeout_s"] is None


def test_the_laptop_needs_no_gpu_and_one_core_does() -> None:
    profile = read("configs/cpu.yaml")
    stages = deployments(profile).values()
    assert sum(replicas(each)[1] * reserved(each, "num_gpus") for each in stages) == 0
    assert sum(replicas(each)[1] * reserved(each, "num_cpus") for each in stages) <= 1
    args = application(profile)["args"]
    assert args["recognition"]["device"] == args["diarization"]["device"] == "cpu"
    assert args["recognition"]["model"].startswith("bundled:")
    assert args["diarization"]["model"].startswith("bundled:")
    assert profile["http_options"]["host"] == "127.0.0.1"


@pytest.mark.parametrize("path", ["serve_config.yaml", "configs/gpu.yaml"])
def test_one_card_holds_one_replica_of_each_model(path: str) -> None:
    stages = deployments(read(path))
    recognizer, diarizer = stages["SpeechRecognizer"], stages["SpeakerDiarizer"]
    assert replicas(recognizer)[0] == replicas(diarizer)[0] == 1
    assert reserved(recognizer, "num_gpus") + reserved(diarizer, "num_gpus") == 1
    # Two recognizers would not fit one card's memory, so Ray must not place them there.
    assert 2 * reserved(recognizer, "num_gpus") > 1


def test_recognizers_and_diarizers_do_not_share_the_cards_of_a_machine_with_several() -> None:
    stages = deployments(read("configs/multi-gpu.yaml"))
    assert reserved(stages["SpeechRecognizer"], "num_gpus") == 1
    _, most = replicas(stages["SpeakerDiarizer"])
    assert most * reserved(stages["SpeakerDiarizer"], "num_gpus") <= 1


@pytest.mark.parametrize("path", PROFILES)
def test_replicas_with_a_gpu_say_how_many_cpu_threads_they_use(path: str) -> None:
    """Many share a host there; all its cores for each would be far too many."""
    args = application(read(path))["args"]
    for stage in ("recognition", "diarization"):
        if args[stage]["device"] == "cuda":
            assert args[stage]["threads"] >= 1
