"""What `kubectl apply -k` makes of our overlays, as far as they ask for it: JSON patches (RFC 6902)
of the RayService, and images by another name."""

import copy
from typing import Any

import yaml

from tests.unit.configs.strict import ROOT, NoDuplicates, read

KUBERAY = "configs/kuberay"


def rendered(overlay: str, *components: str) -> dict[str, Any]:
    """The RayService of an overlay, with components added to it. Raises KeyError, IndexError or
    ValueError for a patch that does not fit."""
    service = copy.deepcopy(read(f"{KUBERAY}/base/rayservice.yaml"))
    kustomization = read(f"{KUBERAY}/{overlay}/kustomization.yaml")
    for folder in (overlay, *components):
        for patch in read(f"{KUBERAY}/{folder}/kustomization.yaml")["patches"]:
            if patch["target"] == {"kind": "RayService", "name": service["metadata"]["name"]}:
                path = ROOT / KUBERAY / folder / patch["path"]
                for operation in yaml.load(path.read_text(), NoDuplicates):
                    _apply(service, operation)
    (image,) = kustomization["images"]
    _rename(service, image["name"], f"{image['newName']}:{image['newTag']}")
    return service


def _apply(document: Any, operation: dict[str, Any]) -> None:
    *way, last = operation["path"].lstrip("/").split("/")
    for step in way:
        document = document[int(step) if isinstance(document, list) else step]
    key = int(last) if isinstance(document, list) else last
    if operation["op"] == "remove":
        del document[key]
    elif operation["op"] == "replace":
        document[key]  # what is replaced has to be there
        document[key] = operation["value"]
    else:
        raise ValueError(f"{operation['op']} is not used here.")


def _rename(node: Any, name: str, image: str) -> None:
    for key, value in list(node.items()) if isinstance(node, dict) else enumerate(node):
        if key == "image" and str(value).partition(":")[0] == name:
            node[key] = image
        elif isinstance(value, dict | list):
            _rename(value, name, image)
