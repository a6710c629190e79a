"""/v1/realtime as a client sees it; whoever speaks is heard to say a word each half second."""

import base64
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from openai.types.realtime import RealtimeServerEvent
from pydantic import TypeAdapter
from starlette.testclient import TestClient, WebSocketTestSession
from starlette.websockets import WebSocketDisconnect

from configs.settings import LiveSettings
from serve_app.http.app import create_app
from serve_app.http.services import HttpConfig
from serve_app.jobs.frontend import JobFrontend
from tests.fakes.live import LOUD
from tests.fakes.services import MODEL, live_service, services

RATE = 24_000
TRANSCRIPTION = "conversation.item.input_audio_transcription"
_ANY: TypeAdapter[RealtimeServerEvent] = TypeAdapter(RealtimeServerEvent)

Message = dict[str, Any]


class Talk:
    """A client that speaks, and reads what it wants."""

    def __init__(self, socket: WebSocketTestSession) -> None:
        self.socket = socket

    def send(self, kind: str, **fields: Any) -> None:
        self.socket.send_text(json.dumps({"type": kind, **fields}))

    def read(self) -> Message:
        event: Message = json.loads(self.socket.receive_text())
        assert event["event_id"]
        if not event["type"].startswith("transcription_session"):
            _ANY.validate_python(event)
        return event

    def until(self, kind: str) -> list[Message]:
        """All events up to the first of a kind."""
        events = [self.read()]
        while events[-1]["type"] != kind:
            assert events[-1]["type"] != "error", events[-1]
            events.append(self.read())
        return events

    def say(self, seconds: float, level: int = LOUD, rate: int = RATE) -> None:
        left = round(seconds * rate)
        while left > 0:
            part = min(left, rate // 20)
            data = np.full(part, level, np.int16).tobytes()
            self.send("input_audio_buffer.append", audio=base64.b64encode(data).decode())
            left -= part

    def refused(self, kind: str, **fields: Any) -> Message:
        """The error that an event is answered by; the session goes on."""
        self.send(kind, event_id="mine", **fields)
        event = self.read()
        assert event["type"] == "error", event
        assert set(event["error"]) == {"type", "code", "message", "param", "event_id"}
        self.send("input_audio_buffer.clear")
        assert self.read()["type"] == "input_audio_buffer.cleared"
        found: Message = event["error"]
        return found


MakeTalk = Callable[..., Any]


@pytest.fixture
def connect(jobs: JobFrontend) -> MakeTalk:
    @contextmanager
    def make(
        path: str = "/v1/realtime?intent=transcription",
        settings: LiveSettings | None = None,
        key: str | None = None,
        **how: Any,
    ) -> Iterator[Talk]:
        config = HttpConfig(model=MODEL, admin_key=key)
        app = create_app(services(jobs, config=config, live=live_service(settings)))
        with TestClient(app) as client, client.websocket_connect(path, **how) as socket:
            yield Talk(socket)

    return make


def test_the_present_shape(connect: MakeTalk) -> None:
    with connect() as talk:
        created = talk.read()
        assert created["type"] == "session.created"
        session = created["session"]
        assert session["type"] == "transcription"
        assert session["audio"]["input"]["format"] == {"type": "audio/pcm", "rate": RATE}
        assert session["audio"]["input"]["transcription"]["model"] == MODEL
        assert session["audio"]["input"]["turn_detection"]["silence_duration_ms"] == 500
        talk.say(3)
        talk.say(2, level=0)
        events = talk.until(f"{TRANSCRIPTION}.completed")
    kinds = [event["type"] for event in events if not event["type"].endswith(".delta")]
    assert kinds == [
        "input_audio_buffer.speech_started",
        "input_audio_buffer.speech_stopped",
        "input_audio_buffer.committed",
        "conversation.item.added",
        "conversation.item.done",
        f"{TRANSCRIPTION}.completed",
    ]
    deltas = [event["delta"] for event in events if event["type"].endswith(".delta")]
    assert "".join(deltas) == events[-1]["transcript"] == "w0 w1 w2 w3 w4 w5"
    assert events[-1]["usage"]["type"] == "duration"
    assert len({event.get("item_id") or event["item"]["id"] for event in events}) == 1


def test_the_shape_of_the_beta(connect: MakeTalk) -> None:
    with connect("/v1/realtime", headers={"OpenAI-Beta": "realtime=v1"}) as talk:
        created = talk.read()
        assert created["type"] == "transcription_session.created"
        talk.send(
            "transcription_session.update",
            session={
                "input_audio_format": "g711_ulaw",
                "input_audio_transcription": {"model": "whisper-1", "language": "de"},
                "turn_detection": {"type": "server_vad", "silence_duration_ms": 300},
                "input_audio_noise_reduction": {"type": "near_field"},
            },
        )
        session = talk.until("transcription_session.updated")[-1]["session"]
        assert session["input_audio_format"] == "g711_ulaw"
        assert session["input_audio_transcription"]["language"] == "de"
        assert session["turn_detection"]["silence_duration_ms"] == 300
        assert session["turn_detection"]["threshold"] == 0.5
        assert session["input_audio_noise_reduction"] is None
        for code, seconds in ((0x80, 2), (0xFF, 2)):  # the loudest, and silence
            data = base64.b64encode(bytes([code]) * 8000 * seconds).decode()
            talk.send("input_audio_buffer.append", audio=data)
        events = talk.until(f"{TRANSCRIPTION}.completed")
        assert "conversation.item.created" in [event["type"] for event in events]


@pytest.mark.parametrize(
    ("path", "how"),
    [
        ("/v1/realtime?intent=transcription&model=gpt-4o-transcribe", {}),
        ("/v1/realtime?model=anything", {"subprotocols": ["realtime"]}),
        ("/v1/realtime/", {}),
    ],
)
def test_ways_to_connect(connect: MakeTalk, path: str, how: dict[str, Any]) -> None:
    with connect(path, **how) as talk:
        assert talk.read()["type"] == "session.created"
        assert talk.socket.accepted_subprotocol == (how.get("subprotocols") or [None])[0]


@pytest.mark.parametrize(
    "how",
    [
        {"headers": {"Authorization": "Bearer secret"}},
        {"headers": {"x-admin-api-key": "secret"}},
        {"subprotocols": ["realtime", "openai-insecure-api-key.secret"]},
    ],
)
def test_the_key(connect: MakeTalk, how: dict[str, Any]) -> None:
    with connect(key="secret", **how) as talk:
        assert talk.read()["type"] == "session.created"


@pytest.mark.parametrize(
    "how", [{}, {"subprotocols": ["realtime", "openai-insecure-api-key.other"]}]
)
def test_no_key(connect: MakeTalk, how: dict[str, Any]) -> None:
    with pytest.raises(WebSocketDisconnect) as refused, connect(key="secret", **how):
        pass
    assert refused.value.code == 1008


def test_only_what_is_sent_changes_and_null_turns_off(connect: MakeTalk) -> None:
    def update(**changes: Any) -> Message:
        talk.send("session.update", session={"audio": {"input": changes}})
        found: Message = talk.until("session.updated")[-1]["session"]["audio"]["input"]
        return found

    with connect() as talk:
        talk.read()
        first = update(transcription={"model": "whisper-1", "language": "en", "prompt": "Names."})
        assert first["transcription"]["prompt"] == "Names."
        second = update(turn_detection={"type": "server_vad", "threshold": 0.7})
        assert second["transcription"] == first["transcription"]
        assert second["turn_detection"]["threshold"] == 0.7
        third = update(turn_detection={"type": "server_vad", "prefix_padding_ms": 100})
        assert third["turn_detection"]["threshold"] == 0.7
        fourth = update(turn_detection={"type": "semantic_vad", "eagerness": "low"})
        assert fourth["turn_detection"] == {"type": "semantic_vad", "eagerness": "low"}
        fifth = update(turn_detection=None, noise_reduction={"type": "far_field"})
        assert fifth["turn_detection"] is None
        assert fifth["noise_reduction"] is None
        assert update(transcription=None)["transcription"] is None
        talk.say(1)
        talk.send("input_audio_buffer.commit")
        assert talk.until("conversation.item.done")
        talk.send("input_audio_buffer.clear")
        assert talk.read()["type"] == "input_audio_buffer.cleared"


def test_manual_commits(connect: MakeTalk) -> None:
    with connect() as talk:
        talk.read()
        talk.send("session.update", session={"audio": {"input": {"turn_detection": None}}})
        talk.until("session.updated")
        talk.say(2)
        talk.send("input_audio_buffer.commit")
        events = talk.until(f"{TRANSCRIPTION}.completed")
        assert events[0]["type"] == "input_audio_buffer.committed"
        assert events[-1]["transcript"] == "w0 w1 w2 w3"


@pytest.mark.parametrize("model", ["gpt-realtime-whisper", "gpt-live-transcribe-2026-08-01"])
def test_whose_model_finds_no_turns_commits(connect: MakeTalk, model: str) -> None:
    """A turn that ends by itself would leave such a client with nothing to commit."""

    def update(**changes: Any) -> Message:
        talk.send("session.update", session={"audio": {"input": changes}})
        found: Message = talk.until("session.updated")[-1]["session"]["audio"]["input"]
        return found

    with connect() as talk:
        talk.read()
        assert update(transcription={"model": model})["turn_detection"] is None
        talk.say(2)
        talk.say(1, level=0)
        talk.send("input_audio_buffer.commit")
        assert talk.read()["type"] == "input_audio_buffer.committed"
        asked = update(turn_detection={"type": "server_vad"})
        assert asked["turn_detection"]["type"] == "server_vad"


def test_logprobs_and_partials_are_asked_for(connect: MakeTalk) -> None:
    include = [f"item.{TRANSCRIPTION.partition('.item.')[2]}.{x}" for x in ("logprobs", "partial")]
    with connect() as talk:
        talk.read()
        talk.send("session.update", session={"include": [*include, "something.else"]})
        # Our own event is not in OpenAI's types.
        assert json.loads(talk.socket.receive_text())["session"]["include"] == include
        talk.say(4)
        talk.say(1, level=0)
        events: list[Message] = []
        while not events or events[-1]["type"] != f"{TRANSCRIPTION}.completed":
            events.append(json.loads(talk.socket.receive_text()))
    joined = b"".join(bytes(token["bytes"]) for token in events[-1]["logprobs"])
    assert joined.decode() == events[-1]["transcript"]
    assert any(event["type"] == f"{TRANSCRIPTION}.partial" for event in events)


def test_speakers_at_the_end_of_turns(connect: MakeTalk) -> None:
    with connect() as talk:
        talk.read()
        wanted = {"model": "gpt-4o-transcribe-diarize"}
        talk.send("session.update", session={"audio": {"input": {"transcription": wanted}}})
        talk.until("session.updated")
        speakers = []
        for level in (LOUD, LOUD // 2, LOUD):
            talk.say(2, level)
            talk.say(1, level=0)
            events = talk.until(f"{TRANSCRIPTION}.completed")
            assert events[-2]["type"] == f"{TRANSCRIPTION}.segment"
            assert events[-2]["text"] == events[-1]["transcript"]
            assert events[-2]["start"] < events[-2]["end"]
            speakers.append(events[-2]["speaker"])
    assert speakers == ["A", "B", "A"]


# ------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("kind", "fields", "code", "param"),
    [
        ("input_audio_buffer.append", {"audio": "%%%"}, "invalid_audio", "audio"),
        ("input_audio_buffer.append", {"audio": "é" * 4}, "invalid_audio", "audio"),
        ("input_audio_buffer.append", {"audio": "AAAA"}, "invalid_audio", "audio"),
        ("input_audio_buffer.append", {"audio": 7}, "invalid_event", "audio"),
        ("input_audio_buffer.append", {}, "invalid_event", "audio"),
        ("response.create", {}, "unknown_event_type", "type"),
        ("x" * 10_000, {}, "unknown_event_type", "type"),
        ("input_audio_buffer.commit", {}, "input_audio_buffer_commit_empty", None),
        ("session.update", {}, "invalid_option", "session"),
        ("session.update", {"session": {"type": "realtime"}}, "invalid_option", "session.type"),
        (
            "session.update",
            {"session": {"audio": {"input": {"turn_detection": {"type": "psychic"}}}}},
            "invalid_option",
            "session.audio.input.turn_detection",
        ),
        (
            "session.update",
            {"session": {"audio": {"input": {"format": {"type": "audio/pcmu", "rate": 24000}}}}},
            "invalid_option",
            "session.audio.rate",
        ),
        (
            "session.update",
            {
                "session": {
                    "input_audio_format": "g711_alaw",
                    "audio": {"input": {"format": {"type": "audio/pcm", "rate": 24000}}},
                }
            },
            "invalid_option",
            "session.input_audio_format",
        ),
        ("session.update", {"session": {"audio": 5}}, "invalid_option", "session.audio.input"),
        (
            "session.update",
            {"session": {"audio": {"input": {"transcription": {"language": "klingon"}}}}},
            "invalid_option",
            "session.audio.input.transcription.language",
        ),
    ],
)
def test_a_wrong_event_is_an_error_and_the_session_goes_on(
    connect: MakeTalk, kind: str, fields: Message, code: str, param: str | None
) -> None:
    with connect() as talk:
        talk.read()
        found = talk.refused(kind, **fields)
    assert (found["code"], found["param"], found["event_id"]) == (code, param, "mine")
    assert found["type"] == "invalid_request_error"
    assert found["message"].endswith((".", "clear."))
    assert len(found["message"]) < 400


def test_too_little_to_commit(connect: MakeTalk) -> None:
    with connect() as talk:
        talk.read()
        talk.say(0.05)
        found = talk.refused("input_audio_buffer.commit")
    assert found["code"] == "input_audio_buffer_commit_empty"
    assert found["message"].endswith("append more before you commit.")


@pytest.mark.parametrize("text", ["", "{", "[]", "17", '{"type": 5}', "[" * 100_000])
def test_what_is_no_event(connect: MakeTalk, text: str) -> None:
    with connect() as talk:
        talk.read()
        talk.socket.send_text(text)
        assert talk.read()["type"] == "error"
        talk.socket.send_bytes(b"\0\1")
        assert talk.read()["type"] == "error"


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        (LiveSettings(max_event_bytes=1000), 1009),
        (LiveSettings(max_buffer_s=0.1), 1009),
        (LiveSettings(idle_timeout_s=0.01), 1001),
        (LiveSettings(max_session_s=0.01), 1001),
    ],
)
def test_limits_close_with_a_reason(connect: MakeTalk, settings: LiveSettings, code: int) -> None:
    with connect(settings=settings) as talk:
        talk.read()
        talk.say(1)
        with pytest.raises(WebSocketDisconnect) as closed:
            talk.until("close")
    assert closed.value.code == code
    assert closed.value.reason.endswith((".", "heard."))


def test_sessions_are_counted(jobs: JobFrontend) -> None:
    settings = LiveSettings(max_sessions_a_key=1)
    app = create_app(services(jobs, live=live_service(settings)))
    with TestClient(app) as client:
        for _ in range(2):  # one that left makes room
            with client.websocket_connect("/v1/realtime") as first:
                assert Talk(first).read()["type"] == "session.created"
                with client.websocket_connect("/v1/realtime") as second:
                    event = json.loads(second.receive_text())
                    assert event["error"]["code"] == "too_many_sessions"
                    with pytest.raises(WebSocketDisconnect) as closed:
                        second.receive_text()
                    assert closed.value.code == 1013
