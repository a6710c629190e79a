import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from ipaddress import ip_network

import pytest
from aiohttp import web
from standardwebhooks import Webhook as Verifier

from interchange.errors import NotFound, ServerError
from interchange.network import AddressGuard
from interchange.transcript import Transcript
from serve_app.jobs.delivery import Delivery, DeliveryAttempt, WebhookTarget
from serve_app.jobs.job import Job
from serve_app.jobs.runner import webhook_sender
from serve_app.jobs.runner.webhook_sender import WebhookSender
from serve_app.jobs.store.job_store import JobStore
from serve_app.jobs.store.leases import Leases
from serve_app.jobs.store.outbox import Outbox
from tests.support.jobs import new_job, transcript

SECRET = "whsec_" + base64.b64encode(b"a secret of the receiver").decode()
LOOPBACK = AddressGuard([ip_network("127.0.0.0/8")])


def render(job: Job, transcript: Transcript | None) -> str:
    return json.dumps({"text": transcript.text if transcript else None, "task_id": job.task_id})


@dataclass
class Receiver:
    """A web server that answers by `statuses`, the last one for ever."""

    statuses: list[int]
    url: str = ""
    requests: list[tuple[dict[str, str], str]] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.requests.append((headers, await request.text()))
        status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
        return web.Response(status=status, headers={"Location": "/elsewhere"})


@asynccontextmanager
async def receiving(*statuses: int) -> AsyncIterator[Receiver]:
    receiver = Receiver(list(statuses))
    app = web.Application()
    app.router.add_post("/{path:.*}", receiver.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0]
    receiver.url = f"http://{host}:{port}/hook"
    try:
        yield receiver
    finally:
        await runner.cleanup()


def sender(store: JobStore, outbox: Outbox, **options: object) -> WebhookSender:
    given: dict[str, object] = {
        "secret": SECRET,
        "timeout_s": 10,
        "concurrency": 4,
        "first_delay_s": 0.01,
        "max_delay_s": 0.05,
        "retry_for_s": 1000,
    } | options
    guard = given.pop("guard", LOOPBACK)
    return WebhookSender(outbox, store, guard, render, **given)  # type: ignore[arg-type]


async def settled(
    subject: WebhookSender,
    outbox: Outbox,
    job_id: str,
    until: Callable[[Delivery], bool] = lambda delivery: delivery.state != "pending",
) -> Delivery:
    """The one delivery of a job, after the sender has run until it is as wished."""
    running = asyncio.create_task(subject.run())
    try:
        while True:
            (delivery,) = await outbox.of_job(job_id)
            if until(delivery):
                return delivery
            await asyncio.sleep(0.01)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def completed(store: JobStore, leases: Leases, webhook: WebhookTarget) -> str:
    await store.submit(new_job(webhook=webhook))
    claim = await leases.claim("runner")
    assert claim is not None
    await leases.complete(claim, transcript())
    return claim.job.id


async def test_an_end_is_announced_and_signed(
    store: JobStore, leases: Leases, outbox: Outbox
) -> None:
    async with receiving(204) as receiver:
        hook = WebhookTarget(receiver.url, {"X-Key": "abc", "Webhook-Id": "forged"})
        job_id = await completed(store, leases, hook)
        delivery = await settled(sender(store, outbox), outbox, job_id)
    assert delivery.state == "delivered"
    assert [attempt.status for attempt in delivery.attempts] == [204]
    ((headers, body),) = receiver.requests
    assert json.loads(body) == {"text": transcript().text, "task_id": job_id}
    assert headers["content-type"] == "application/json"
    assert headers["x-key"] == "abc"
    assert headers["webhook-id"] == delivery.id
    assert Verifier(SECRET).verify(body, headers) == json.loads(body)


async def test_without_a_secret_nothing_is_signed(
    store: JobStore, leases: Leases, outbox: Outbox
) -> None:
    async with receiving(200) as receiver:
        job_id = await completed(
            store, leases, WebhookTarget(receiver.url, {"content-type": "x/y"})
        )
        await settled(sender(store, outbox, secret=None), outbox, job_id)
    ((headers, _),) = receiver.requests
    assert "webhook-signature" not in headers
    assert headers["webhook-id"].startswith("msg_")
    assert headers["content-type"] == "x/y", "what the client wants stands above our default"


async def test_a_failing_receiver_is_tried_again_under_one_id(
    store: JobStore, leases: Leases, outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook_sender, "_POLL_S", 10**6)  # tries are not left to the next look
    async with receiving(500, 302, 404, 200) as receiver:
        job_id = await completed(store, leases, WebhookTarget(receiver.url))
        delivery = await settled(sender(store, outbox), outbox, job_id)
    assert [attempt.status for attempt in delivery.attempts] == [500, 302, 404, 200]
    assert delivery.state == "delivered"
    assert {headers["webhook-id"] for headers, _ in receiver.requests} == {delivery.id}
    assert len({body for _, body in receiver.requests}) == 1


async def test_410_wants_no_more(store: JobStore, leases: Leases, outbox: Outbox) -> None:
    async with receiving(410) as receiver:
        job_id = await completed(store, leases, WebhookTarget(receiver.url))
        delivery = await settled(sender(store, outbox), outbox, job_id)
    assert delivery.state == "gone"
    assert delivery.due_at is None
    assert len(receiver.requests) == 1


async def test_after_its_time_a_delivery_is_given_up_and_can_be_sent_again(
    store: JobStore, leases: Leases, outbox: Outbox
) -> None:
    async with receiving(503, 503, 200) as receiver:
        job_id = await completed(store, leases, WebhookTarget(receiver.url))
        short = sender(store, outbox, retry_for_s=0.001)
        first = await settled(short, outbox, job_id)
        assert first.state == "failed"
        with pytest.raises(NotFound):
            await outbox.redeliver(job_id, "msg_another")
        with pytest.raises(NotFound):
            await outbox.redeliver("another", first.id)
        await outbox.redeliver(job_id, first.id)
        again = await settled(sender(store, outbox), outbox, job_id)
    assert again.state == "delivered"
    assert again.id == first.id
    assert len(again.attempts) == len(receiver.requests)


async def test_private_addresses_are_refused(
    store: JobStore, leases: Leases, outbox: Outbox
) -> None:
    async with receiving(200) as receiver:
        job_id = await completed(store, leases, WebhookTarget(receiver.url))
        subject = sender(store, outbox, guard=AddressGuard())
        delivery = await settled(subject, outbox, job_id)
    assert receiver.requests == []
    assert delivery.state == "failed"
    (attempt,) = delivery.attempts
    assert attempt.error is not None
    assert "private or reserved address" in attempt.error


@pytest.mark.parametrize(
    "hook",
    [
        WebhookTarget("http://127.0.0.1:1/"),
        WebhookTarget("not a url"),
        WebhookTarget("http://127.0.0.1:1/", {"x": "a\nb"}),
    ],
)
async def test_a_receiver_that_cannot_be_reached_is_logged_and_tried_again(
    store: JobStore, leases: Leases, outbox: Outbox, hook: WebhookTarget
) -> None:
    job_id = await completed(store, leases, hook)
    delivery = await settled(
        sender(store, outbox), outbox, job_id, until=lambda delivery: len(delivery.attempts) > 1
    )
    assert delivery.attempts[0].status is None
    assert delivery.attempts[0].error


async def test_a_receiver_that_does_not_answer_is_a_fault_after_a_while(
    store: JobStore, leases: Leases, outbox: Outbox
) -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()  # until the other side gives up
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    job_id = await completed(store, leases, WebhookTarget(f"http://{host}:{port}/"))
    subject = sender(store, outbox, timeout_s=0.05, first_delay_s=1000, max_delay_s=1000)
    delivery = await settled(subject, outbox, job_id, until=lambda d: len(d.attempts) == 1)
    assert delivery.attempts[0].error == "No answer within 0.05 s."
    server.close()
    await server.wait_closed()


async def test_a_sender_that_died_over_a_try_is_followed_by_another(
    store: JobStore, leases: Leases, outbox: Outbox
) -> None:
    async with receiving(200) as receiver:
        job_id = await completed(store, leases, WebhookTarget(receiver.url))
        dead = await outbox.claim(lease_s=0)
        assert dead is not None
        delivery = await settled(sender(store, outbox), outbox, job_id)
        late = DeliveryAttempt(at=0, seconds=0, status=500, error=None)
        await outbox.record(dead, late, "pending", 0)
        assert (await outbox.of_job(job_id)) == (delivery,), "what comes too late changes nothing"


async def test_a_delivery_in_work_is_not_taken_twice(
    store: JobStore, leases: Leases, outbox: Outbox
) -> None:
    await completed(store, leases, WebhookTarget("http://127.0.0.1:1/"))
    claims = await asyncio.gather(*(outbox.claim(lease_s=1000) for _ in range(5)))
    assert len([claim for claim in claims if claim is not None]) == 1


def test_retries_go_on_for_at_least_a_day(store: JobStore, outbox: Outbox) -> None:
    from configs.settings import WebhookSettings
    from serve_app.jobs.delivery import DueDelivery

    settings = WebhookSettings()
    subject = sender(
        store,
        outbox,
        first_delay_s=settings.first_delay_s,
        max_delay_s=settings.max_delay_s,
        retry_for_s=settings.retry_for_s,
    )
    now, tries, delays = 0.0, 0, []
    while True:
        due = DueDelivery("m", "j", WebhookTarget(""), since=0.0, tries=tries)
        state, delay = subject._outcome(due, DeliveryAttempt(now, 0, 500, None), final=False)
        if delay is None:
            break
        delays.append(delay)
        now, tries = now + delay, tries + 1
    assert state == "failed"
    assert now >= 24 * 3600
    assert len(delays) <= 20
    assert delays[0] < 10


@pytest.mark.parametrize("secret", ["whsec_", "", "ä"])
def test_a_secret_that_is_none_is_refused(store: JobStore, outbox: Outbox, secret: str) -> None:
    with pytest.raises(ServerError, match="RAYSCRIBE_WEBHOOK_SECRET"):
        sender(store, outbox, secret=secret)
