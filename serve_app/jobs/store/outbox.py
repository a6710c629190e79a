"""The outbox of webhooks: written in the transaction that ends a job, emptied by a sender.

So a webhook is owed if and only if its job has ended, whatever crashes in between
(the transactional outbox: Richardson, "Microservices Patterns", 2018).
"""

import uuid
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from interchange.errors import NotFound
from serve_app.jobs.delivery import Delivery, DeliveryAttempt, DeliveryState, DueDelivery
from serve_app.jobs.store.codec import WEBHOOK
from serve_app.jobs.store.database import Database
from serve_app.jobs.store.rows import read_job
from serve_app.jobs.store.tables import deliveries, delivery_attempts


def announce(
    connection: sa.Connection, job_id: str, webhook: str | None, now: sa.ColumnElement[float]
) -> None:
    """Owe the job's webhook, if it has one, from the transaction that ends it."""
    if webhook is None:
        return
    connection.execute(
        deliveries.insert().values(
            id=f"msg_{uuid.uuid4().hex}",
            job_id=job_id,
            webhook=webhook,
            state="pending",
            created_at=now,
            since=now,
            due_at=now,
        )
    )


class Outbox:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def claim(self, lease_s: float) -> DueDelivery | None:
        """A delivery that is due, ours for `lease_s`; after that another sender may try it."""
        now = self._database.now()
        due = (
            sa.select(deliveries.c.id)
            .where(deliveries.c.due_at <= now)
            .order_by(deliveries.c.due_at)
            .limit(1)
            .with_for_update(skip_locked=True)
            .scalar_subquery()
        )
        claim = (
            deliveries.update()
            .where(deliveries.c.id == due)
            .values(due_at=now + lease_s)
            .returning(deliveries)
        )
        row = await self._database.write(lambda c: c.execute(claim).first())
        if row is None:
            return None
        return DueDelivery(row.id, row.job_id, WEBHOOK.load(row.webhook), row.since, row.tries)

    async def record(
        self,
        delivery: DueDelivery,
        attempt: DeliveryAttempt,
        state: DeliveryState,
        retry_in_s: float | None = None,
    ) -> None:
        """Log a try, and say what becomes of the delivery."""
        due_at = None if retry_in_s is None else self._database.now() + retry_in_s
        ours = sa.and_(
            deliveries.c.id == delivery.id,
            deliveries.c.since == delivery.since,
            deliveries.c.tries == delivery.tries,
        )
        change = (
            deliveries.update()
            .where(ours)
            .values(state=state, due_at=due_at, tries=deliveries.c.tries + 1)
        )
        enter = delivery_attempts.insert().values(
            delivery_id=delivery.id,
            at=attempt.at,
            seconds=attempt.seconds,
            status=attempt.status,
            error=attempt.error,
        )

        def record(connection: sa.Connection) -> None:
            # A deleted job takes its deliveries along, and a slow sender was overtaken.
            if connection.execute(change).rowcount == 1:
                connection.execute(enter)

        await self._database.write(record)

    async def of_job(self, job_id: str) -> tuple[Delivery, ...]:
        """The deliveries of a job with their log, oldest first. Raises NotFound."""
        its = deliveries.c.job_id == job_id
        owed = sa.select(deliveries).where(its).order_by(deliveries.c.created_at)
        tried = (
            sa.select(delivery_attempts)
            .join(deliveries, deliveries.c.id == delivery_attempts.c.delivery_id)
            .where(its)
            .order_by(delivery_attempts.c.at)
        )

        def read(connection: sa.Connection) -> tuple[Sequence[sa.Row[Any]], Sequence[sa.Row[Any]]]:
            read_job(connection, job_id)
            return connection.execute(owed).all(), connection.execute(tried).all()

        found, attempts = await self._database.read(read)
        return tuple(
            Delivery(
                id=row.id,
                job_id=job_id,
                webhook=WEBHOOK.load(row.webhook),
                state=row.state,
                created_at=row.created_at,
                due_at=row.due_at,
                attempts=tuple(
                    DeliveryAttempt(each.at, each.seconds, each.status, each.error)
                    for each in attempts
                    if each.delivery_id == row.id
                ),
            )
            for row in found
        )

    async def redeliver(self, job_id: str, delivery_id: str) -> None:
        """Send a delivery again, now, under the same id, with a fresh time for retries.

        Raises NotFound.
        """
        now = self._database.now()
        again = (
            deliveries.update()
            .where(deliveries.c.id == delivery_id, deliveries.c.job_id == job_id)
            # Another `since` outdates a sender that is at work on it.
            .values(state="pending", since=now, due_at=now, tries=0)
        )
        if not await self._database.write(lambda c: c.execute(again).rowcount):
            raise NotFound(f"Job {job_id!r} has no delivery {delivery_id!r}.")
