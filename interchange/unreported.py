"""Libraries tell their makers what they are used for, unless they are told not to."""

import os

OFF = {
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "ORT_DISABLE_TELEMETRY": "1",  # onnxruntime's, on Linux since 1.29
    "PYANNOTE_METRICS_ENABLED": "false",  # how long recordings are, and how many people speak
    "RAY_USAGE_STATS_ENABLED": "0",
}
"""What each of them reads when it is first imported."""


def report_nothing() -> None:
    """To be called before any of them is imported. What the environment says already stays."""
    for name, value in OFF.items():
        os.environ.setdefault(name, value)
