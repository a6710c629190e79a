"""What is skipped because a processor cannot do it, in one line at the end of a run."""

from collections.abc import Iterable

WANTING = "this processor has no "
"""How the reason of such a skip begins."""


def summary(reasons: Iterable[str]) -> str | None:
    """Of all skips' reasons; None where no instructions were missing."""
    wanting = [reason.removeprefix(WANTING) for reason in reasons if reason.startswith(WANTING)]
    if not wanting:
        return None
    return f"{len(wanting)} tests skipped for want of {' and '.join(sorted(set(wanting)))}."
