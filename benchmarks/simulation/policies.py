"""Serve's own policy and ours, each as Serve calls it, by a clock of our own.

Serve's functions are those of the installed package: the policy itself, and what applies delays,
steps and bounds to any policy.
"""

from collections.abc import Callable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from ray.serve import autoscaling_policy
from ray.serve._private.common import DeploymentID, TimeStampedValue
from ray.serve.config import AutoscalingConfig, AutoscalingContext

from deployments.autoscaling import Demand, by_seconds

LOOK_BACK_S = 30.0
"""Over which Serve averages the requests that it counts; its default."""


class Policy:
    """A policy with its state, and the `config` that its delays and bounds are in."""

    def __init__(
        self, name: str, function: Callable[[Any], Any], config: AutoscalingConfig
    ) -> None:
        self.name = name
        self.config = config
        # What Serve wraps each policy in (`DeploymentAutoscalingState.register`).
        self._decide = autoscaling_policy._apply_autoscaling_config(function)
        self._state: dict[str, Any] = {}

    def target(
        self,
        now: float,
        *,
        running: int,
        target: int,
        requests: float,
        queued: float,
        demands: Sequence[Demand],
    ) -> int:
        """How many replicas there should be from now on."""
        least, most = self.config.min_replicas, self.config.max_replicas
        context = AutoscalingContext(
            deployment_id=DeploymentID("SpeechRecognizer", "simulated"),
            deployment_name="SpeechRecognizer",
            app_name="simulated",
            current_num_replicas=running,
            target_num_replicas=target,
            running_replicas=[],
            total_num_requests=requests,
            total_queued_requests=queued,
            aggregated_metrics=None,
            raw_metrics=_series(now, demands),
            capacity_adjusted_min_replicas=least,
            capacity_adjusted_max_replicas=most,
            policy_state=self._state,
            last_scale_up_time=None,
            last_scale_down_time=None,
            current_time=now,
            config=self.config,
        )
        with patch.object(autoscaling_policy, "time", SimpleNamespace(time=lambda: now)):
            wanted, self._state = self._decide(context)
        bounded: int = max(least, min(most, wanted))
        return bounded


def ours(**config: Any) -> Policy:
    whole = AutoscalingConfig(**config)
    return Policy(f"by seconds, down after {whole.downscale_delay_s:g} s", by_seconds, whole)


def serves_own(target: float, **config: Any) -> Policy:
    whole = AutoscalingConfig(target_ongoing_requests=target, **config)
    name = f"{target:g} requests, down after {whole.downscale_delay_s:g} s"
    return Policy(name, autoscaling_policy.replica_queue_length_autoscaling_policy, whole)


def _series(now: float, demands: Sequence[Demand]) -> Mapping[str, Mapping[int, list[Any]]]:
    """As replicas' reports come to Serve's controller."""
    stats = [demand.stats() for demand in demands]
    return {
        name: {at: [TimeStampedValue(now, each[name])] for at, each in enumerate(stats)}
        for name in (stats[0] if stats else ())
    }
