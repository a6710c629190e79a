"""The manifests for Kubernetes, held against the shapes of their kinds and against each other."""

import copy
import importlib.metadata
import math
import re
import tomllib
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from pydantic import TypeAdapter, ValidationError
from ray.serve.schema import ServeDeploySchema

from configs.secrets import Secrets
from configs.settings import Settings
from serve_app import __version__
from tests.unit.configs.kuberay.kinds import KINDS, RayService
from tests.unit.configs.strict import ROOT, NoDuplicates, read, unknown_keys

FOLDER = ROOT / "configs/kuberay"

DOCUMENTS: dict[str, dict[str, Any]] = {
    f"{document['kind']} in {path.relative_to(FOLDER)}, {index}": document
    for path in sorted(FOLDER.rglob("*.yaml"))
    if path.name != "patch.yaml"
    for index, document in enumerate(yaml.load_all(path.read_text(), NoDuplicates))
}


def of_kind(kind: str) -> list[dict[str, Any]]:
    return [document for document in DOCUMENTS.values() if document["kind"] == kind]


@pytest.fixture
def service() -> dict[str, Any]:
    return read("configs/kuberay/base/rayservice.yaml")


@pytest.fixture
def cluster(service: dict[str, Any]) -> dict[str, Any]:
    config = service["spec"]["rayClusterConfig"]
    assert isinstance(config, dict)
    return config


@pytest.fixture
def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]  # type: ignore[no-any-return]


def pods(cluster: dict[str, Any]) -> list[dict[str, Any]]:
    groups = [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]
    return [group["template"]["spec"] for group in groups]


@pytest.mark.parametrize("document", DOCUMENTS.values(), ids=DOCUMENTS)
def test_each_document_is_of_its_kind(document: dict[str, Any]) -> None:
    TypeAdapter(KINDS[document["kind"]]).validate_python(document)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda spec: spec["upgradeStrategy"].update(type="Rolling"), "upgradeStrategy.type"),
        (lambda spec: spec.update(gcsOptions={}), "gcsOptions"),
        (lambda spec: worker(spec).pop("maxReplicas"), "maxReplicas"),
        (lambda spec: worker(spec).update(minReplicas="1"), "minReplicas"),
        (lambda spec: worker_pod(spec).update(nodeselector={}), "nodeselector"),
        (lambda spec: worker_pod(spec).update(node_selector={}), "node_selector"),
        (lambda spec: worker_pod(spec)["containers"][0].pop("name"), "name"),
        (lambda spec: worker_pod(spec)["containers"][0]["env"][0].update(value=1), "value"),
    ],
)
def test_a_misfit_would_be_found(
    service: dict[str, Any], change: Callable[[dict[str, Any]], None], complaint: str
) -> None:
    broken = copy.deepcopy(service)
    change(broken["spec"])
    with pytest.raises(ValidationError, match=complaint):
        RayService.model_validate(broken)


def worker(spec: dict[str, Any]) -> dict[str, Any]:
    (group,) = spec["rayClusterConfig"]["workerGroupSpecs"]
    assert isinstance(group, dict)
    return group


def worker_pod(spec: dict[str, Any]) -> dict[str, Any]:
    pod = worker(spec)["template"]["spec"]
    assert isinstance(pod, dict)
    return pod


def test_kustomize_lists_every_file() -> None:
    listed = read("configs/kuberay/base/kustomization.yaml")["resources"]
    there = {path.name for path in (FOLDER / "base").glob("*.yaml")} - {"kustomization.yaml"}
    assert set(listed) == there


def test_the_applications_are_those_of_serve_config(service: dict[str, Any]) -> None:
    inside = yaml.load(service["spec"]["serveConfigV2"], NoDuplicates)
    assert inside == read("serve_config.yaml")
    assert list(unknown_keys(inside, ServeDeploySchema)) == []
    ServeDeploySchema.model_validate(inside)


def test_versions_agree(
    service: dict[str, Any], cluster: dict[str, Any], project: dict[str, Any]
) -> None:
    assert f"ray[serve]=={cluster['rayVersion']}" in project["dependencies"]
    assert cluster["rayVersion"] == importlib.metadata.version("ray")
    (image,) = {pod["containers"][0]["image"] for pod in pods(cluster)}
    assert image == f"rayscribe:{__version__}"
    (renamed,) = read("configs/kuberay/base/kustomization.yaml")["images"]
    assert f"{renamed['name']}:{renamed['newTag']}" == image
    labels = service["metadata"]["labels"]
    assert labels["app.kubernetes.io/version"] == __version__


def test_the_head_runs_no_replica_and_asks_for_no_gpu(cluster: dict[str, Any]) -> None:
    assert cluster["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0"
    head, *_ = pods(cluster)
    assert "nvidia.com/gpu" not in head["containers"][0]["resources"]["limits"]
    for deployment in read("serve_config.yaml")["applications"][0]["deployments"]:
        # One that reserves nothing could be placed on the head.
        assert deployment["ray_actor_options"]["num_cpus"] > 0


def test_a_worker_holds_one_replica_of_each_model_and_all_the_rest(
    cluster: dict[str, Any],
) -> None:
    (group,) = cluster["workerGroupSpecs"]
    resources = group["template"]["spec"]["containers"][0]["resources"]
    assert resources["requests"] == resources["limits"]
    stages = read("serve_config.yaml")["applications"][0]["deployments"]
    need = {"num_cpus": 0.0, "num_gpus": 0.0}
    most_gpus = 0.0
    for stage in stages:
        options, scaling = stage["ray_actor_options"], stage.get("autoscaling_config", {})
        most = scaling.get("max_replicas") or stage["num_replicas"]
        on_each_worker = 1 if "num_gpus" in options else most
        need["num_cpus"] += on_each_worker * options["num_cpus"]
        need["num_gpus"] += on_each_worker * options.get("num_gpus", 0)
        most_gpus += most * options.get("num_gpus", 0)
    assert need["num_cpus"] <= float(resources["limits"]["cpu"])
    assert need["num_gpus"] <= float(resources["limits"]["nvidia.com/gpu"])
    assert group["minReplicas"] <= group["replicas"] <= group["maxReplicas"]
    assert math.ceil(most_gpus) <= group["maxReplicas"]


def test_pods_outlive_the_graceful_end_of_their_replicas(
    service: dict[str, Any], cluster: dict[str, Any]
) -> None:
    stages = read("serve_config.yaml")["applications"][0]["deployments"]
    longest = max(stage["graceful_shutdown_timeout_s"] for stage in stages)
    for pod in pods(cluster):
        assert pod["terminationGracePeriodSeconds"] > longest
    assert service["spec"]["rayClusterDeletionDelaySeconds"] > longest


def test_a_worker_drains_before_it_stops(service: dict[str, Any]) -> None:
    pod = worker_pod(service["spec"])
    *_, script = pod["containers"][0]["lifecycle"]["preStop"]["exec"]["command"]
    seconds = {int(number) for number in re.findall(r"(?:seconds|timeout) (\d+)", script)}
    stages = read("serve_config.yaml")["applications"][0]["deployments"]
    (drains,) = seconds
    assert max(stage["graceful_shutdown_timeout_s"] for stage in stages) < drains
    assert drains < pod["terminationGracePeriodSeconds"]


def test_no_secret_stands_in_the_file(cluster: dict[str, Any]) -> None:
    # Without the address of a database, jobs would lie in a file of each pod's own.
    secret = {
        "ADMIN_KEY": {"optional": True},
        "HF_TOKEN": {"optional": True},
        "RAYSCRIBE_WEBHOOK_SECRET": {"optional": True},
        "RAYSCRIBE_DATABASE_URL": {},
    }
    known = {str(field.validation_alias) for field in Secrets.model_fields.values()}
    assert set(secret) == known - {"FLY_MACHINE_ID"}
    for pod in pods(cluster):
        env = {each["name"]: each for each in pod["containers"][0]["env"]}
        assert set(secret) <= set(env)
        for name, optional in secret.items():
            reference = env[name]["valueFrom"]["secretKeyRef"]
            assert reference == {"name": "rayscribe", "key": name, **optional}
    password = cluster["gcsFaultToleranceOptions"]["redisPassword"]
    assert set(password) == {"valueFrom"}


def test_the_environment_is_the_same_in_every_pod_and_names_settings(
    cluster: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, *others = [pod["containers"][0]["env"] for pod in pods(cluster)]
    assert all(env == first for env in others)
    for each in first:
        if each["name"].startswith("RAYSCRIBE_") and "value" in each:
            monkeypatch.setenv(each["name"], each["value"])
    assert Settings.from_args({}).storage == "file:///var/lib/rayscribe/storage"


def test_every_pod_mounts_what_the_environment_names(cluster: dict[str, Any]) -> None:
    claims = {
        claim["metadata"]["name"]: claim["spec"] for claim in of_kind("PersistentVolumeClaim")
    }
    for pod in pods(cluster):
        volumes = {volume["name"]: volume for volume in pod["volumes"]}
        mounts = {each["mountPath"]: each["name"] for each in pod["containers"][0]["volumeMounts"]}
        assert set(mounts.values()) == set(volumes)
        for each in pod["containers"][0]["env"]:
            if path := each.get("value", "").removeprefix("file://"):
                assert any(path.startswith(mount) for mount in mounts), path
        for volume in volumes.values():
            if claim := volume.get("persistentVolumeClaim"):
                # Pods on different nodes mount it at the same time.
                assert claims[claim["claimName"]]["accessModes"] == ["ReadWriteMany"]
        assert volumes[mounts["/dev/shm"]]["emptyDir"]["medium"] == "Memory"


def test_the_service_finds_the_port_that_serve_listens_on(cluster: dict[str, Any]) -> None:
    http = read("serve_config.yaml")["http_options"]
    assert http["host"] == "0.0.0.0"
    for pod in pods(cluster):
        ports = {port["name"]: port["containerPort"] for port in pod["containers"][0]["ports"]}
        assert ports["serve"] == http["port"]


def test_the_object_store_fits_its_shared_memory(cluster: dict[str, Any]) -> None:
    (group,) = cluster["workerGroupSpecs"]
    volumes = {volume["name"]: volume for volume in group["template"]["spec"]["volumes"]}
    limit = volumes["shared-mem"]["emptyDir"]["sizeLimit"]
    assert limit.endswith("Gi")
    assert int(group["rayStartParams"]["object-store-memory"]) < int(limit[:-2]) * 2**30


def test_pods_run_without_privileges(cluster: dict[str, Any]) -> None:
    (redis,) = [each["spec"]["template"]["spec"] for each in of_kind("StatefulSet")]
    for pod in [*pods(cluster), redis]:
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] > 0
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in pod["containers"]:
            assert container["securityContext"]["allowPrivilegeEscalation"] is False
            assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
            assert container["resources"]["limits"]["memory"]
