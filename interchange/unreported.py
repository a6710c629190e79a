"""Libraries tell their makers what they are used for, unless they are told not to."""

import os

OFF = {
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "ORT_DISABLE_TELEMETRY": "1",  # onnxruntime's, on Linux since 1.29
    "PYANNOTE_METRICS_ENABLED": "false",  # how long recordings are, and how many people speak
    "RAY_USAGE_STATS_ENABLED": "0",
}
"""What they read when they are imported, Ray when it is started."""


def report_nothing() -> None:
    """Called where `deployments` is imported, which comes before that in every process that has
    one of them. What the environment says already stays."""
    for name, value in OFF.items():
        os.environ.setdefault(name, value)
