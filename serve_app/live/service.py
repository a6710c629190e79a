"""The live sessions of this process: how many there may be, and what each stands on."""

from collections import Counter
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

from configs.settings import LiveSettings
from interchange import measures
from interchange.errors import QueueFull
from interchange.stages import SpeakerDiarizer, SpeechDetection, SpeechRecognizer
from serve_app.live.options import LiveOptions
from serve_app.live.runner import Listener, LiveRunner
from serve_app.live.session import LiveSession
from serve_app.live.speech import VoiceDetector


class TooManySessions(QueueFull):
    code = "too_many_sessions"


class LiveService:
    """Opens sessions. `detection` finds speech where a client does not say how; `heard` is told
    how many seconds of audio an owner's session had, when it ends."""

    def __init__(
        self,
        settings: LiveSettings,
        recognizer: SpeechRecognizer,
        diarizer: SpeakerDiarizer,
        detector: Callable[[], VoiceDetector],
        detection: SpeechDetection,
        *,
        heard: Callable[[str, float], None] = lambda _owner, _seconds: None,
    ) -> None:
        self.settings = settings
        self.detection = detection
        self._heard = heard
        self._recognizer = recognizer
        self._diarizer = diarizer
        self._detector = detector
        self._open: Counter[str] = Counter()

    @asynccontextmanager
    async def session(
        self, session_id: str, owner: str, options: LiveOptions, tell: Listener
    ) -> AsyncGenerator[LiveRunner, None]:
        """A session of `owner`, whoever has the same key. Raises TooManySessions."""
        self._admit(owner)
        self._open[owner] += 1
        measures.LIVE_SESSIONS.record(self._open.total())
        try:
            session = LiveSession(session_id, self._detector(), options)
            try:
                async with LiveRunner(session, self._recognizer, self._diarizer, tell) as runner:
                    yield runner
            finally:
                self._heard(owner, session.seconds)
        finally:
            self._open[owner] -= 1
            if not self._open[owner]:
                del self._open[owner]
            measures.LIVE_SESSIONS.record(self._open.total())

    def _admit(self, owner: str) -> None:
        limits = self.settings
        if self._open.total() >= limits.max_sessions:
            raise TooManySessions(
                f"{limits.max_sessions} live sessions are open here, and no more may be; try "
                "again later.",
                30,
            )
        if self._open[owner] >= limits.max_sessions_a_key:
            raise TooManySessions(
                f"{limits.max_sessions_a_key} live sessions are open with this key, and no more "
                "may be; close one.",
                30,
            )
