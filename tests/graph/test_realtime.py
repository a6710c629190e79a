"""OpenAI's client speaks to a running graph."""

import base64
import json
from itertools import pairwise

import pytest
import websockets

from tests.support.live import RATE, TRANSCRIPTION, alike, connected, heard, pcm, text
from tests.support.recordings.speech import SAMPLE, needs_speech, recordings, sample_words
from tests.support.running.service import Service


async def test_a_conversation_is_heard_while_it_is_spoken(running_service: Service) -> None:
    async with connected(running_service) as connection:
        await connection.session.update(
            session={
                "type": "transcription",
                "audio": {"input": {"transcription": {"model": "whisper-1", "language": "en"}}},
                "include": ["item.input_audio_transcription.logprobs"],
            }
        )
        assert (await connection.recv()).type == "session.updated"
        events = await heard(connection, pcm(SAMPLE))
    assert alike(text(events), " ".join(sample_words())) > 0.6
    assert not [event for event in events if event.type in ("error", f"{TRANSCRIPTION}.failed")]
    for end in (e for e in events if e.type == f"{TRANSCRIPTION}.completed"):
        own = [e for e in events if getattr(e, "item_id", None) == end.item_id]
        deltas = [e for e in own if e.type == f"{TRANSCRIPTION}.delta"]
        assert "".join(e.delta for e in deltas) == end.transcript
        spelled = b"".join(bytes(token.bytes) for token in end.logprobs)
        assert spelled.decode() == end.transcript
    order = [e.item_id for e in events if e.type.startswith(TRANSCRIPTION)]
    changes = sum(one != other for one, other in pairwise(order))
    assert changes == len(set(order)) - 1, "items do not interleave"


@needs_speech
async def test_a_reader_is_heard_right(running_service: Service) -> None:
    reading = next(each for each in recordings("en") if each.name == "LJ001-0004.flac")
    async with connected(running_service) as connection:
        events = await heard(connection, pcm(reading.path))
    assert alike(text(events), reading.text or "") > 0.85


@needs_speech
async def test_turns_have_their_speakers(running_service: Service) -> None:
    dialogue = next(each for each in recordings("conversation") if each.name == "katiesteve.flac")
    transcription = {"model": "gpt-4o-transcribe-diarize", "language": "en"}
    async with connected(running_service) as connection:
        await connection.session.update(
            session={
                "type": "transcription",
                "audio": {"input": {"transcription": transcription}},
            }
        )
        events = await heard(connection, pcm(dialogue.path), speed=4)
    said = [event for event in events if event.type == f"{TRANSCRIPTION}.segment"]
    assert {event.speaker for event in said} == {"A", "B"}
    wholes = [event for event in events if event.type == f"{TRANSCRIPTION}.completed"]
    assert [event.text for event in said] == [
        event.transcript for event in wholes if event.transcript
    ]


async def test_a_browser_is_answered_by_the_subprotocol(running_service: Service) -> None:
    url = f"{running_service.url.replace('http', 'ws')}/v1/realtime"
    offered = ["realtime", "openai-insecure-api-key.any"]
    async with websockets.connect(url, subprotocols=offered) as socket:  # type: ignore[arg-type]
        assert socket.subprotocol == "realtime"
        assert "session.created" in str(await socket.recv())


async def test_an_event_of_twenty_mebibytes_ends_its_session_alone(
    running_service: Service,
) -> None:
    url = f"{running_service.url.replace('http', 'ws')}/v1/realtime"
    async with (
        websockets.connect(url) as other,
        websockets.connect(url, max_size=None, compression=None) as socket,
    ):
        await socket.recv()
        huge = "A" * 20 * 2**20
        with pytest.raises(websockets.ConnectionClosed) as closed:
            await _append(socket, huge)
        assert closed.value.rcvd is None or closed.value.rcvd.code == 1009
        await other.recv()
        await other.send('{"type": "input_audio_buffer.clear"}')
        assert "cleared" in str(await other.recv())


async def test_clients_that_vanish_leave_nothing_behind(running_service: Service) -> None:
    """More of them in succession than may be open at once."""
    for _ in range(20):
        async with connected(running_service) as connection:
            audio = base64.b64encode(bytes(RATE)).decode()
            await connection.input_audio_buffer.append(audio=audio)
            connection._connection.transport.abort()


async def test_who_reads_nothing_keeps_nobody_waiting(running_service: Service) -> None:
    url = f"{running_service.url.replace('http', 'ws')}/v1/realtime"
    async with websockets.connect(url, max_queue=1, ping_interval=None) as deaf:
        audio = pcm(SAMPLE)
        for start in range(0, len(audio), RATE):
            part = base64.b64encode(audio[start : start + RATE]).decode()
            await deaf.send(json.dumps({"type": "input_audio_buffer.append", "audio": part}))
        async with connected(running_service) as connection:
            events = await heard(connection, audio)
    assert alike(text(events), " ".join(sample_words())) > 0.6


async def _append(socket: websockets.ClientConnection, audio: str) -> None:
    await socket.send(json.dumps({"type": "input_audio_buffer.append", "audio": audio}))
    await socket.recv()
