"""Sends what the outbox owes, by the Standard Webhooks specification (standardwebhooks.com)."""

import asyncio
import logging
import random
import time
from collections.abc import Callable
from datetime import UTC, datetime

import aiohttp
from standardwebhooks.webhooks import EmptyWebhookSecretError
from standardwebhooks.webhooks import Webhook as Signer

from interchange import measures
from interchange.errors import AddressRefused, NotFound, ServerError, StoreUnavailable
from interchange.network import AddressGuard
from interchange.transcript import Transcript
from serve_app import __version__
from serve_app.jobs.delivery import DeliveryAttempt, DeliveryState, DueDelivery
from serve_app.jobs.job import Job
from serve_app.jobs.runner.polling import Polling
from serve_app.jobs.store.job_store import JobStore
from serve_app.jobs.store.outbox import Outbox

log = logging.getLogger("ray.serve")

Render = Callable[[Job, Transcript | None], str]
"""The body that announces a job's end; the transcript is None unless it completed."""

_POLL_S = 0.5


class WebhookSender:
    """`timeout_s` is what a receiver has to answer in. The wait after the n-th failed try is
    `first_delay_s` × 3ⁿ⁻¹, at most `max_delay_s`, until `retry_for_s` have passed."""

    def __init__(
        self,
        outbox: Outbox,
        store: JobStore,
        guard: AddressGuard,
        render: Render,
        *,
        secret: str | None,
        timeout_s: float,
        concurrency: int,
        first_delay_s: float,
        max_delay_s: float,
        retry_for_s: float,
    ) -> None:
        self._outbox = outbox
        self._store = store
        self._guard = guard
        self._render = render
        self._signer = _signer(secret)
        self._timeout_s = timeout_s
        self._first_delay_s = first_delay_s
        self._max_delay_s = max_delay_s
        self._retry_for_s = retry_for_s
        self._room = asyncio.Semaphore(concurrency)
        self._polling = Polling(_POLL_S)

    def wake(self) -> None:
        """Look into the outbox at once."""
        self._polling.wake()

    async def run(self) -> None:
        """Until cancelled; a try that is cut off is made again by another sender."""
        async with (
            aiohttp.ClientSession(
                connector=self._guard.connector(),
                trust_env=False,
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=self._timeout_s),
            ) as session,
            asyncio.TaskGroup() as group,
        ):
            while True:
                await self._room.acquire()
                due = await self._claim()
                if due is None:
                    self._room.release()
                    await self._polling.wait()
                else:
                    self._polling.found()
                    group.create_task(self._deliver(session, due))

    async def _claim(self) -> DueDelivery | None:
        self._polling.about_to_look()
        try:
            return await self._outbox.claim(2 * self._timeout_s + 5)
        except StoreUnavailable as error:
            log.warning("The outbox cannot be read: %s", error)
            return None

    async def _deliver(self, session: aiohttp.ClientSession, due: DueDelivery) -> None:
        try:
            began = time.time()
            status, error, final = await self._try(session, due)
            attempt = DeliveryAttempt(began, time.time() - began, status, error)
            state, retry_in_s = self._outcome(due, attempt, final=final)
            # What went wrong is the client's to read: it may hold an address with its query.
            became = "failed" if status is None else f"answered {status}"
            log.info("Webhook %s of job %s: %s.", due.id, due.job_id, became)
            measures.WEBHOOKS.record(outcome=state)
            await self._outbox.record(due, attempt, state, retry_in_s)
            if retry_in_s is not None:
                self._polling.wake(retry_in_s)
        except StoreUnavailable as error:
            log.warning("Webhook %s was tried and could not be recorded: %s", due.id, error)
        finally:
            self._room.release()

    async def _try(
        self, session: aiohttp.ClientSession, due: DueDelivery
    ) -> tuple[int | None, str | None, bool]:
        """The status answered, or the fault; and whether no other try can end otherwise."""
        try:
            job = await self._store.get(due.job_id)
            done = job.status == "completed"
            body = self._render(job, await self._store.transcript(job.id) if done else None)
        except NotFound as error:
            return None, str(error), True
        try:
            async with session.post(
                due.webhook.url,
                data=body.encode(),
                headers=self._headers(due, body),
                allow_redirects=False,
            ) as response:
                return response.status, None, False
        except AddressRefused as refused:
            return None, str(refused), True
        except TimeoutError:
            return None, f"No answer within {self._timeout_s:g} s.", False
        except (aiohttp.ClientError, ValueError, OSError) as error:
            return None, f"{type(error).__name__}: {error}", False

    def _headers(self, due: DueDelivery, body: str) -> dict[str, str]:
        now = datetime.now(UTC)
        ours = {"webhook-id": due.id, "webhook-timestamp": str(int(now.timestamp()))}
        if self._signer is not None:
            ours["webhook-signature"] = self._signer.sign(due.id, now, body)
        defaults = {"Content-Type": "application/json", "User-Agent": f"Rayscribe/{__version__}"}
        given = {name.lower() for name in due.webhook.headers}
        # The client's headers stand above our defaults, and below what a receiver verifies.
        theirs = {
            name: value
            for name, value in due.webhook.headers.items()
            if not name.lower().startswith("webhook-")
        }
        return {k: v for k, v in defaults.items() if k.lower() not in given} | theirs | ours

    def _outcome(
        self, due: DueDelivery, attempt: DeliveryAttempt, *, final: bool
    ) -> tuple[DeliveryState, float | None]:
        if attempt.status is not None and 200 <= attempt.status < 300:
            return "delivered", None
        if attempt.status == 410:
            return "gone", None
        if final or attempt.at - due.since >= self._retry_for_s:
            return "failed", None
        delay = min(self._first_delay_s * 3.0**due.tries, self._max_delay_s)
        return "pending", delay * random.uniform(1, 1.25)


def _signer(secret: str | None) -> Signer | None:
    if secret is None:
        return None
    try:
        return Signer(secret)
    except (ValueError, RuntimeError, EmptyWebhookSecretError) as error:
        raise ServerError(
            "RAYSCRIBE_WEBHOOK_SECRET is not base64 (with or without the prefix whsec_); make one "
            "by `openssl rand -base64 32`."
        ) from error
