"""What a client may change in a live session."""

from dataclasses import dataclass

from interchange.stages import RecognitionOptions, SpeechDetection


@dataclass(frozen=True, slots=True)
class LiveOptions:
    """With `turns` None the client says where an item ends, and speech is found by `detection` all
    the same: silence has no words. Without `transcribe` there are items and no text."""

    turns: SpeechDetection | None
    detection: SpeechDetection
    language: str | None = None
    languages: tuple[str, ...] = ()
    prompt: str | None = None
    logprobs: bool = False
    partials: bool = False
    transcribe: bool = True
    speakers: bool = False

    @property
    def threshold(self) -> float:
        """Speech probability of a word."""
        return (self.turns or self.detection).threshold

    @property
    def padding_s(self) -> float:
        """Seconds kept before speech."""
        return (self.turns or self.detection).padding_s

    def recognition(
        self,
        session_id: str,
        language: str | None,
        said: str,
        *,
        provisional: bool,
        hurried: bool,
    ) -> RecognitionOptions:
        """For a window; `language` is what its item is known to be in, `said` what it begins
        with, `provisional` whether more of it may be heard, `hurried` whether others wait."""
        return RecognitionOptions(
            session_id,
            language=self.language or language,
            languages=self.languages,
            word_timestamps=True,
            prompt=self.prompt,
            said=said or None,
            provisional=provisional,
            hurried=hurried,
            logprobs=self.logprobs,
        )
