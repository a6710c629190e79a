"""The kinds of our manifests, as models that refuse what they do not know.

Kubernetes' own come from its client. RayService (ray.io/v1) and what it holds have the field
names, types and choices of KubeRay 1.6; an operator passes over an unknown field in silence.
"""

from typing import Annotated, Any, Literal

from kubernetes import client
from pydantic import BaseModel, BeforeValidator, ConfigDict
from pydantic.alias_generators import to_camel


def _camel_case(data: Any) -> Any:
    """The client also takes its own snake_case names, which Kubernetes does not."""
    for key, value in data.items() if isinstance(data, dict) else enumerate(data):
        if isinstance(key, str) and "_" in key:
            raise ValueError(f"{key} is not a name of Kubernetes")
        if isinstance(value, dict | list):
            _camel_case(value)
    return data


class Kind(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, alias_generator=to_camel)


class RedisCredential(Kind):
    value: str | None = None
    value_from: client.V1EnvVarSource | None = None


class GcsFaultToleranceOptions(Kind):
    redis_address: str
    redis_username: RedisCredential | None = None
    redis_password: RedisCredential | None = None
    external_storage_namespace: str | None = None


class AuthOptions(Kind):
    mode: Literal["disabled", "token"] | None = None
    secret_name: str | None = None


class AutoscalerOptions(Kind):
    version: Literal["v1", "v2"] | None = None
    upscaling_mode: Literal["Default", "Aggressive", "Conservative"] | None = None
    idle_timeout_seconds: int | None = None
    image: str | None = None
    image_pull_policy: Literal["Always", "IfNotPresent", "Never"] | None = None
    resources: client.V1ResourceRequirements | None = None
    security_context: client.V1SecurityContext | None = None
    env: list[client.V1EnvVar] | None = None
    env_from: list[client.V1EnvFromSource] | None = None
    volume_mounts: list[client.V1VolumeMount] | None = None


class Group(Kind):
    template: client.V1PodTemplateSpec
    ray_start_params: dict[str, str]
    resources: dict[str, str] | None = None
    labels: dict[str, str] | None = None


class HeadGroup(Group):
    service_type: Literal["ClusterIP", "NodePort", "LoadBalancer"] | None = None
    head_service: client.V1Service | None = None
    enable_ingress: bool | None = None


class WorkerGroup(Group):
    group_name: str
    min_replicas: int
    max_replicas: int
    replicas: int | None = None
    num_of_hosts: int | None = None
    idle_timeout_seconds: int | None = None


class RayClusterSpec(Kind):
    head_group_spec: HeadGroup
    worker_group_specs: list[WorkerGroup]
    ray_version: str
    enable_in_tree_autoscaling: bool | None = None
    autoscaler_options: AutoscalerOptions | None = None
    auth_options: AuthOptions | None = None
    gcs_fault_tolerance_options: GcsFaultToleranceOptions | None = None
    head_service_annotations: dict[str, str] | None = None


class ClusterUpgradeOptions(Kind):
    gateway_class_name: str
    interval_seconds: int
    step_size_percent: int
    max_surge_percent: int | None = None


class UpgradeStrategy(Kind):
    # A free string in the CRD: a misspelt one shows in the operator's log only.
    type: Literal["NewCluster", "NewClusterWithIncrementalUpgrade", "None"]
    cluster_upgrade_options: ClusterUpgradeOptions | None = None


class RayServiceSpec(Kind):
    serve_config_v2: str
    ray_cluster_config: RayClusterSpec
    upgrade_strategy: UpgradeStrategy | None = None
    ray_cluster_deletion_delay_seconds: int | None = None
    exclude_head_pod_from_serve_svc: bool | None = None
    serve_service: client.V1Service | None = None


class RayService(Kind):
    api_version: Literal["ray.io/v1"]
    kind: Literal["RayService"]
    metadata: client.V1ObjectMeta
    spec: Annotated[RayServiceSpec, BeforeValidator(_camel_case)]


class SubmitterConfig(Kind):
    backoff_limit: int | None = None


class RayJobSpec(Kind):
    entrypoint: str
    ray_cluster_spec: RayClusterSpec
    backoff_limit: int | None = None
    active_deadline_seconds: int | None = None
    shutdown_after_job_finishes: bool | None = None
    ttl_seconds_after_finished: int | None = None
    submission_mode: Literal["K8sJobMode", "HTTPMode", "InteractiveMode", "SidecarMode"] | None = (
        None
    )
    submitter_pod_template: client.V1PodTemplateSpec | None = None
    submitter_config: SubmitterConfig | None = None


class RayJob(Kind):
    api_version: Literal["ray.io/v1"]
    kind: Literal["RayJob"]
    metadata: client.V1ObjectMeta
    spec: Annotated[RayJobSpec, BeforeValidator(_camel_case)]


class Relabeling(Kind):
    action: Literal["replace", "keep", "drop", "labelmap"]
    source_labels: list[str]
    target_label: str | None = None
    regex: str | None = None


class PodMetricsEndpoint(Kind):
    port: str
    interval: str
    path: str | None = None
    relabelings: list[Relabeling] | None = None


class PodMonitorSpec(Kind):
    selector: client.V1LabelSelector
    pod_metrics_endpoints: list[PodMetricsEndpoint]


class PodMonitor(Kind):
    """Of the Prometheus Operator."""

    api_version: Literal["monitoring.coreos.com/v1"]
    kind: Literal["PodMonitor"]
    metadata: client.V1ObjectMeta
    spec: Annotated[PodMonitorSpec, BeforeValidator(_camel_case)]


class Image(Kind):
    name: str
    new_name: str
    new_tag: str


class PatchTarget(Kind):
    kind: str
    name: str


class Patch(Kind):
    target: PatchTarget
    path: str | None = None
    patch: str | None = None


class Kustomization(Kind):
    api_version: Literal["kustomize.config.k8s.io/v1beta1"]
    kind: Literal["Kustomization"]
    resources: list[str]
    images: list[Image]
    patches: list[Patch] | None = None
    components: list[str] | None = None


class Component(Kind):
    api_version: Literal["kustomize.config.k8s.io/v1alpha1"]
    kind: Literal["Component"]
    patches: list[Patch]


KINDS: dict[str, Any] = {
    "RayService": RayService,
    "RayJob": RayJob,
    "PodMonitor": PodMonitor,
    "Kustomization": Kustomization,
    "Component": Component,
    "NetworkPolicy": Annotated[client.V1NetworkPolicy, BeforeValidator(_camel_case)],
    "PersistentVolumeClaim": Annotated[
        client.V1PersistentVolumeClaim, BeforeValidator(_camel_case)
    ],
    "Service": Annotated[client.V1Service, BeforeValidator(_camel_case)],
    "StatefulSet": Annotated[client.V1StatefulSet, BeforeValidator(_camel_case)],
}
