import pytest
from ray.serve.schema import (
    DeploymentStatus,
    DeploymentStatusOverview,
    DeploymentStatusTrigger,
    ReplicaState,
)

from serve_app.ingress import _up


@pytest.mark.parametrize(
    ("status", "replicas", "up"),
    [
        (DeploymentStatus.HEALTHY, {ReplicaState.RUNNING: 1}, True),
        (DeploymentStatus.UPDATING, {ReplicaState.RUNNING: 1, ReplicaState.STARTING: 1}, True),
        # Scaled down to none, and on its way up again.
        (DeploymentStatus.HEALTHY, {}, True),
        (DeploymentStatus.UPSCALING, {ReplicaState.STARTING: 1}, True),
        (DeploymentStatus.DOWNSCALING, {ReplicaState.STOPPING: 1}, True),
        # Replicas that died, or never came up.
        (DeploymentStatus.UNHEALTHY, {ReplicaState.STARTING: 1}, False),
        (DeploymentStatus.UPDATING, {ReplicaState.STARTING: 1}, False),
        (DeploymentStatus.DEPLOY_FAILED, {}, False),
    ],
)
def test_a_stage_without_replicas_is_up_where_none_are_needed(
    status: DeploymentStatus, replicas: dict[ReplicaState, int], up: bool
) -> None:
    overview = DeploymentStatusOverview(status, DeploymentStatusTrigger.UNSPECIFIED, replicas, "")
    assert _up(overview) is up
