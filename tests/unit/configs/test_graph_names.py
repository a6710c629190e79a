"""The profiles against the graph as the code builds it. Building one needs no cluster."""

import pytest
from ray.serve._private.build_app import build_app

from serve_app.app import build
from tests.unit.configs.strict import PROFILES, read


@pytest.mark.parametrize("path", PROFILES)
def test_a_profile_names_every_deployment_of_the_graph_and_no_other(path: str) -> None:
    """Serve waits for ever on a name that the graph does not have."""
    (application,) = read(path)["applications"]
    assert application["import_path"] == f"{build.__module__}:{build.__name__}"
    graph = build_app(build(application["args"]), name="checked")
    named = {deployment["name"] for deployment in application["deployments"]}
    assert named == {deployment.name for deployment in graph.deployments}
    assert graph.ingress_deployment_name == "Ingress"
