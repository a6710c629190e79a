"""What of the manifests is Kubernetes' own, against the schemas that its API server publishes."""

from typing import Any

import pytest

from tests.unit.configs.kuberay.kinds import RayJob, RayService
from tests.unit.configs.kuberay.test_kuberay import DOCUMENTS
from tests.unit.configs.kuberay.test_overlays import OVERLAYS

schemas = pytest.importorskip(
    "kubernetes_validate", reason="kubernetes-validate is not installed: make the .venv anew"
)

VERSIONS = ("1.31", "1.37")
CUSTOM = {"RayService", "RayJob", "PodMonitor", "Kustomization", "Component"}
"""Not Kubernetes' own; see `kinds`."""


def pods(document: dict[str, Any]) -> list[dict[str, Any]]:
    """The pods of a cluster, each as if it were one by itself."""
    spec = document["spec"]
    cluster = spec.get("rayClusterConfig") or spec["rayClusterSpec"]
    templates = [
        group["template"] for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"])
    ]
    return [
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "one"}, "spec": template["spec"]}
        for template in templates
    ]


OWN = {name: document for name, document in DOCUMENTS.items() if document["kind"] not in CUSTOM}
PODS = {
    f"pod {index} of {name}": pod
    for name, document in {**DOCUMENTS, **OVERLAYS}.items()
    if document["kind"] in {RayService.__name__, RayJob.__name__}
    for index, pod in enumerate(pods(document))
}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("document", [*OWN.values(), *PODS.values()], ids=[*OWN, *PODS])
def test_kubernetes_takes_it(document: dict[str, Any], version: str) -> None:
    schemas.validate(document, version, strict=True)


def test_a_misfit_would_be_found() -> None:
    pod = next(iter(PODS.values()))
    broken = {**pod, "spec": {**pod["spec"], "nodeselector": {}}}
    with pytest.raises(schemas.ValidationError, match="nodeselector"):
        schemas.validate(broken, VERSIONS[0], strict=True)
