"""What a webhook is: whom it goes to, and what became of it. Times are Unix seconds."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True)
class WebhookTarget:
    """Where the end of a job is announced, with the headers the client wants sent."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict)


DeliveryState = Literal["pending", "delivered", "failed", "gone"]


@dataclass(frozen=True, slots=True)
class DeliveryAttempt:
    """One try at a delivery: when, how many seconds it took, and the answer or the fault."""

    at: float
    seconds: float
    status: int | None
    error: str | None


@dataclass(frozen=True, slots=True)
class Delivery:
    """One webhook. `id` is its `webhook-id`, the same for every try.

    `gone`: the receiver answered 410 and wants no more. `due_at` is the next try.
    """

    id: str
    job_id: str
    webhook: WebhookTarget
    state: DeliveryState
    created_at: float
    due_at: float | None
    attempts: tuple[DeliveryAttempt, ...] = ()


@dataclass(frozen=True, slots=True)
class DueDelivery:
    """A delivery that is to be tried now. `since` is when its tries began, `tries` how many
    there were."""

    id: str
    job_id: str
    webhook: WebhookTarget
    since: float
    tries: int
