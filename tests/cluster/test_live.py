"""A recognizer dies while somebody speaks; the session does not."""

import asyncio

from tests.support.live import TRANSCRIPTION, alike, connected, heard, pcm, text
from tests.support.recordings.speech import SAMPLE, sample_words
from tests.support.running.service import Service


async def test_a_session_survives_the_loss_of_a_recognizer(running_service: Service) -> None:
    async with connected(running_service) as connection:
        hearing = asyncio.create_task(heard(connection, pcm(SAMPLE), speed=4))
        await asyncio.sleep(3)
        killed = await asyncio.to_thread(running_service.kill, "SpeechRecognizer")
        assert killed
        events = await hearing
    assert not [event for event in events if event.type in ("error", f"{TRANSCRIPTION}.failed")]
    assert alike(text(events), " ".join(sample_words())) > 0.6
    await asyncio.to_thread(running_service.wait_until_replaced, "SpeechRecognizer", killed)
