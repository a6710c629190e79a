"""Every error a client can meet, as one tree.

RayscribeError                  500
├── ClientError                 400  the request or its recording is at fault
│   ├── InvalidOption           422  an option's value is not one the service knows (in OpenAI's
│   │                                dialect 400)
│   ├── InvalidSource           400  the URL cannot be used
│   │   ├── AddressRefused      400  it leads to an address that may not be fetched
│   │   ├── SourceUnreachable   400  no name, no route, no connection
│   │   ├── SourceRefused       400  the remote server answered with an error status
│   │   ├── SourceTimeout       400  the remote server was too slow
│   │   └── TooManyRedirects    400
│   ├── RecordingTooLarge       413  more bytes than the limit
│   ├── RecordingTooLong        413  more seconds than the limit
│   ├── UndecodableRecording    400  not audio, or damaged beyond use
│   │   ├── NoAudioStream       400  a container without an audio track
│   │   └── HarmfulRecording    400  it ended the process that decoded it
│   ├── Unauthorized            401
│   ├── Forbidden               403  the key is valid, but may not do this
│   ├── NotFound                404
│   ├── Conflict                409
│   │   └── Cancelled           409  somebody cancelled the task while its client waited
│   └── QueueFull               429  with the seconds after which to try again
│       ├── NoRoom              429  as much waits as may, whoever asks for more
│       └── QuotaExceeded       429  the key has had as much as it may
└── ServerError                 500  the service is at fault
    ├── MissingToken            500  a gated model is configured and no hub token is set
    ├── RecognitionFailed       500  no window of the recording could be recognized
    ├── DiarizationFailed       500
    ├── OutOfTime               504  it took longer than a request may
    └── Unavailable             503  a stage has no replica that can answer now
        └── StoreUnavailable    503  the job store cannot be reached, or its disk is full

Messages are sentences: what was wrong, with what, and what to do. Every argument goes to
`Exception.__init__`, so that an error keeps its class and its attributes when it is pickled
from one replica to another.
"""

from typing import ClassVar


class RayscribeError(Exception):
    """The root. `status` is the HTTP status, `code` the stable name a program can test.

    `param` is the field of the request that is at fault, None where none is.
    """

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal_error"
    param: str | None = None

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class ClientError(RayscribeError):
    status = 400
    code = "bad_request"


class InvalidOption(ClientError):
    """`param` names the option at fault."""

    status = 422
    code = "invalid_option"

    def __init__(self, message: str, param: str | None = None) -> None:
        # Past the parent's constructor on purpose: every argument has to reach Exception.
        Exception.__init__(self, message, param)
        self.message = message
        self.param = param


class InvalidSource(ClientError):
    code = "invalid_url"
    param = "url"


class AddressRefused(InvalidSource):
    code = "address_refused"


class SourceUnreachable(InvalidSource):
    code = "url_unreachable"


class SourceRefused(InvalidSource):
    code = "url_refused"


class SourceTimeout(InvalidSource):
    code = "url_timeout"


class TooManyRedirects(InvalidSource):
    code = "too_many_redirects"


class RecordingTooLarge(ClientError):
    status = 413
    code = "recording_too_large"
    param = "file"


class RecordingTooLong(ClientError):
    status = 413
    code = "recording_too_long"
    param = "file"


class UndecodableRecording(ClientError):
    code = "undecodable_recording"
    param = "file"


class NoAudioStream(UndecodableRecording):
    code = "no_audio_stream"


class HarmfulRecording(UndecodableRecording):
    """To be tried in no other way."""


class Unauthorized(ClientError):
    status = 401
    code = "invalid_api_key"


class Forbidden(ClientError):
    status = 403
    code = "permission_denied"


class NotFound(ClientError):
    status = 404
    code = "not_found"


class Conflict(ClientError):
    status = 409
    code = "conflict"


class Cancelled(Conflict):
    code = "cancelled"


class _RetryLater(RayscribeError):
    """`retry_after` is in seconds, and becomes the `Retry-After` header."""

    def __init__(self, message: str, retry_after: int = 1) -> None:
        Exception.__init__(self, message, retry_after)
        self.message = message
        self.retry_after = retry_after


class QueueFull(_RetryLater, ClientError):
    status = 429
    code = "queue_full"


class NoRoom(QueueFull):
    """`each_s` seconds later there is room for another such recording."""

    def __init__(self, message: str, retry_after: int = 1, each_s: float = 0.0) -> None:
        Exception.__init__(self, message, retry_after, each_s)
        self.message = message
        self.retry_after = retry_after
        self.each_s = each_s


class QuotaExceeded(QueueFull):
    code = "quota_exceeded"


class ServerError(RayscribeError):
    pass


class MissingToken(ServerError):
    code = "missing_hub_token"


class RecognitionFailed(ServerError):
    code = "recognition_failed"


class DiarizationFailed(ServerError):
    code = "diarization_failed"


class OutOfTime(ServerError):
    status = 504
    code = "out_of_time"

    def __init__(
        self,
        message: str = "The request took longer than one may on this service, and its work was "
        "stopped; hand the recording in as a job, which has the time that it takes.",
    ) -> None:
        super().__init__(message)


class Unavailable(_RetryLater, ServerError):
    status = 503
    code = "unavailable"


class StoreUnavailable(Unavailable):
    code = "store_unavailable"


def first_of(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    """The one error to report of a task group's: ours before any other, the first of those."""
    flat = _flatten(errors)
    return next((error for error in flat if isinstance(error, RayscribeError)), flat[0])


def _flatten(errors: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    return [
        leaf
        for error in errors.exceptions
        for leaf in (_flatten(error) if isinstance(error, BaseExceptionGroup) else [error])
    ]
