"""The overlays for Kubernetes, the job for bulk work, and what stands around the pods."""

import importlib
import shlex
from typing import Any

import pytest
import yaml
from ray.serve._private.build_app import build_app
from ray.serve.schema import ServeDeploySchema
from typer.main import get_command

from configs.settings import Settings
from serve_app import __version__
from serve_app.app import build
from serve_app.client.commands import app
from tests.unit.configs.kuberay.kinds import RayService
from tests.unit.configs.kuberay.kustomize import KUBERAY, rendered
from tests.unit.configs.strict import ROOT, NoDuplicates, read, unknown_keys

OVERLAYS = {
    "cpu": rendered("cpu"),
    "one-gpu": rendered("one-gpu"),
    "many-gpus": rendered("many-gpus"),
    "incremental": rendered("many-gpus", "incremental-upgrade"),
}


@pytest.fixture(params=OVERLAYS)
def service(request: pytest.FixtureRequest) -> dict[str, Any]:
    return OVERLAYS[request.param]


def applications(service: dict[str, Any]) -> dict[str, Any]:
    config = yaml.load(service["spec"]["serveConfigV2"], NoDuplicates)
    assert isinstance(config, dict)
    return config


def deployments(config: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {each["name"]: each for each in config["applications"][0]["deployments"]}


def most(deployment: dict[str, Any]) -> int:
    scaling = deployment.get("autoscaling_config", {})
    return int(scaling.get("max_replicas") or deployment["num_replicas"])


def worker(service: dict[str, Any]) -> dict[str, Any]:
    (group,) = service["spec"]["rayClusterConfig"]["workerGroupSpecs"]
    assert isinstance(group, dict)
    return group


def pods(service: dict[str, Any]) -> list[dict[str, Any]]:
    config = service["spec"]["rayClusterConfig"]
    return [
        config["headGroupSpec"]["template"]["spec"],
        worker(service)["template"]["spec"],
    ]


def test_an_overlay_is_still_a_service_that_kuberay_and_serve_take(service: dict[str, Any]) -> None:
    RayService.model_validate(service)
    config = applications(service)
    assert list(unknown_keys(config, ServeDeploySchema)) == []
    ServeDeploySchema.model_validate(config)
    (application,) = config["applications"]
    graph = build_app(build(application["args"]), name="checked")
    assert set(deployments(config)) == {deployment.name for deployment in graph.deployments}


@pytest.mark.parametrize("overlay", ["one-gpu", "many-gpus"])
def test_on_gpus_only_the_numbers_differ_from_serve_config(overlay: str) -> None:
    ours, plain = applications(OVERLAYS[overlay]), read("serve_config.yaml")
    for config in (ours, plain):
        for deployment in deployments(config).values():
            deployment.get("autoscaling_config", {}).pop("max_replicas", None)
            deployment.pop("num_replicas", None)
        for section in ("admission", "jobs"):
            config["applications"][0]["args"].pop(section)
    assert ours == plain


def test_no_more_replicas_are_asked_for_than_the_pods_may_hold(service: dict[str, Any]) -> None:
    group = worker(service)
    limits = group["template"]["spec"]["containers"][0]["resources"]["limits"]
    asked = {"num_cpus": 0.0, "num_gpus": 0.0}
    for deployment in deployments(applications(service)).values():
        options = deployment["ray_actor_options"]
        assert options["num_cpus"] > 0  # or it could be placed on the head
        for what in asked:
            asked[what] += most(deployment) * options.get(what, 0)
    pods_at_most = group["maxReplicas"]
    assert asked["num_cpus"] <= pods_at_most * float(limits["cpu"])
    assert asked["num_gpus"] <= pods_at_most * float(limits.get("nvidia.com/gpu", 0)) + 1e-9
    assert group["minReplicas"] <= group["replicas"] <= pods_at_most


def test_a_pod_holds_one_of_each_model(service: dict[str, Any]) -> None:
    limits = worker(service)["template"]["spec"]["containers"][0]["resources"]["limits"]
    least = sum(
        deployment["ray_actor_options"]["num_cpus"]
        for deployment in deployments(applications(service)).values()
    )
    assert least <= float(limits["cpu"])


def test_without_a_card_a_model_takes_no_more_threads_than_it_reserves() -> None:
    config = applications(OVERLAYS["cpu"])
    settings = Settings.from_args(config["applications"][0]["args"])
    stages = deployments(config)
    for name, threads in {
        "SpeechRecognizer": settings.recognition.threads,
        "SpeakerDiarizer": settings.diarization.threads,
    }.items():
        assert 0 < threads <= stages[name]["ray_actor_options"]["num_cpus"]
    assert worker(OVERLAYS["cpu"])["groupName"] == "cpu"
    pod = worker(OVERLAYS["cpu"])["template"]["spec"]
    assert "nodeSelector" not in pod
    assert "tolerations" not in pod


def test_pods_mount_what_they_have_and_an_image_with_weights_hides_none(
    service: dict[str, Any],
) -> None:
    for pod in pods(service):
        mounts = {each["mountPath"]: each["name"] for each in pod["containers"][0]["volumeMounts"]}
        assert set(mounts.values()) == {volume["name"] for volume in pod["volumes"]}
        with_weights = pod["containers"][0]["image"].endswith("-cpu")
        assert ("/var/cache/rayscribe" in mounts) != with_weights
    claims = read(f"{KUBERAY}/cpu/kustomization.yaml")["patches"][1]
    assert claims["target"]["name"] == "rayscribe-weights"
    assert yaml.safe_load(claims["patch"])["$patch"] == "delete"


def test_images_are_those_that_the_dockerfile_builds(service: dict[str, Any]) -> None:
    images = {pod["containers"][0]["image"] for pod in pods(service)}
    assert len(images) == 1
    assert images <= {f"rayscribe:{__version__}", f"rayscribe:{__version__}-cpu"}


def test_one_card_is_not_asked_to_hold_two_clusters() -> None:
    assert OVERLAYS["one-gpu"]["spec"]["upgradeStrategy"] == {"type": "None"}
    assert worker(OVERLAYS["one-gpu"])["maxReplicas"] == 1


def test_an_incremental_upgrade_says_all_that_it_needs() -> None:
    spec = OVERLAYS["incremental"]["spec"]
    assert spec["upgradeStrategy"]["type"] == "NewClusterWithIncrementalUpgrade"
    options = spec["upgradeStrategy"]["clusterUpgradeOptions"]
    assert 0 < options["stepSizePercent"] <= options["maxSurgePercent"] <= 100
    # It scales the two clusters against each other.
    assert spec["rayClusterConfig"]["enableInTreeAutoscaling"] is True


# ------------------------------------------------------------------------ around the pods


def documents(path: str) -> list[dict[str, Any]]:
    return list(yaml.load_all((ROOT / KUBERAY / path).read_text(), NoDuplicates))


def ports(pod: dict[str, Any]) -> set[str]:
    return {port["name"] for port in pod["containers"][0]["ports"]}


def test_ports_that_are_opened_are_ports_of_the_pods(service: dict[str, Any]) -> None:
    ours, redis = documents("base/network.yaml")
    opened = {port["port"] for rule in ours["spec"]["ingress"] for port in rule.get("ports", [])}
    for pod in pods(service):
        assert opened == {"serve", "metrics"} <= ports(pod)
    (stateful,) = [each for each in documents("base/redis.yaml") if each["kind"] == "StatefulSet"]
    (rule,) = redis["spec"]["ingress"]
    assert {port["port"] for port in rule["ports"]} == ports(stateful["spec"]["template"]["spec"])
    selected = redis["spec"]["podSelector"]["matchLabels"]
    assert selected.items() <= stateful["spec"]["template"]["metadata"]["labels"].items()


def test_strangers_reach_nothing_but_the_service() -> None:
    ours, _ = documents("base/network.yaml")
    assert ours["spec"]["policyTypes"] == ["Ingress"]
    from_anywhere = [rule["ports"] for rule in ours["spec"]["ingress"] if "from" not in rule]
    assert from_anywhere == [[{"port": "serve", "protocol": "TCP"}]]


def test_prometheus_finds_the_port_of_the_figures(service: dict[str, Any]) -> None:
    (monitor,) = documents("monitoring/podmonitor.yaml")
    (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
    for pod in pods(service):
        assert endpoint["port"] in ports(pod)


# -------------------------------------------------------------------------------- bulk work


@pytest.fixture
def job() -> dict[str, Any]:
    (job,) = documents("batch/rayjob.yaml")
    return job


def test_the_job_runs_a_command_that_there_is(job: dict[str, Any]) -> None:
    command, _, after = job["spec"]["entrypoint"].partition(" || ")
    program, name, *arguments = shlex.split(command)
    assert program == "rayscribe"
    assert after == "test $? -eq 3"
    importlib.import_module("serve_app.cli")  # which adds the commands that run here
    batch = get_command(app).commands[name]  # type: ignore[attr-defined]
    context = batch.make_context(name, arguments)
    assert context.params["address"] == "auto"
    groups = job["spec"]["rayClusterSpec"]["workerGroupSpecs"]
    assert [group["maxReplicas"] for group in groups] == [context.params["workers"]]
    profile = context.params["profile"]
    assert profile.removeprefix("/opt/rayscribe/") == "serve_config.yaml"


def test_pods_of_the_job_run_without_privileges_the_images_of_the_service(
    job: dict[str, Any],
) -> None:
    cluster = job["spec"]["rayClusterSpec"]
    groups = [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]
    all_pods = [group["template"]["spec"] for group in groups]
    for pod in [*all_pods, job["spec"]["submitterPodTemplate"]["spec"]]:
        assert pod["securityContext"]["runAsNonRoot"] is True
        (container,) = pod["containers"]
        assert container["image"] == f"rayscribe:{__version__}"
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert (
        cluster["rayVersion"]
        == read(f"{KUBERAY}/base/rayservice.yaml")["spec"]["rayClusterConfig"]["rayVersion"]
    )
