"""Fetching a recording over http or https, once, into a spool that is read meanwhile."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import aiohttp

from configs.settings import FetchSettings
from deployments.audio.fetching.spool import Spool
from deployments.audio.fetching.urls import Origin, Target
from interchange.errors import (
    InvalidSource,
    RecordingTooLarge,
    SourceRefused,
    SourceTimeout,
    SourceUnreachable,
    TooManyRedirects,
)
from interchange.network import AddressGuard, printable

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_BEYOND = 416
"""The answer to a range that lies behind the end."""
_CHUNK = 1 << 18
_MOST_HEADERS = 2_000


async def fetch(url: str, spool: Spool, settings: FetchSettings, guard: AddressGuard) -> None:
    """Write the recording at `url` into `spool`.

    Raises InvalidSource or one of its kinds, RecordingTooLarge, or what `Spool.write` raises.
    `spool` is left as it is then: whoever reads it has to be told by `Spool.fail`.
    """
    async with opened(url, settings, guard) as response:
        if "Content-Encoding" not in response.headers:
            spool.expected = response.content_length
        spool.media_type = response.content_type
        await receive(response, url, settings, spool.write)
        spool.finish()


@asynccontextmanager
async def opened(
    url: str, settings: FetchSettings, guard: AddressGuard, part: str | None = None
) -> AsyncIterator[aiohttp.ClientResponse]:
    """The answer that all redirects lead to, to be read in the block, within all limits.

    `part` is the header Range: the answer may then be a 206, or a 416. Raises InvalidSource or one
    of its kinds, and RecordingTooLarge for what is announced to be.
    """
    timeout = aiohttp.ClientTimeout(
        total=None,  # a hop's; all of them together are timed below
        connect=settings.connect_timeout_s,
        sock_read=settings.read_timeout_s,
    )
    asked = {} if part is None else {"Range": part}
    async with (
        _sentences(url, settings),
        _within(
            settings.total_timeout_s,
            f"Fetching {printable(url)} took longer than {settings.total_timeout_s:g} s.",
        ),
        aiohttp.ClientSession(
            connector=guard.connector(limit=1, force_close=True),
            timeout=timeout,
            # Some servers hand out the recording only to who brings the cookie that they set
            # on the way. It goes where it came from, and is forgotten with this session.
            cookie_jar=aiohttp.CookieJar(unsafe=True, quote_cookie=False),
            trust_env=False,  # a proxy would hide from the guard where a connection leads
            max_line_size=settings.max_header_bytes,
            max_field_size=settings.max_header_bytes,
            max_headers=_MOST_HEADERS,
            headers={"User-Agent": "Rayscribe", "Accept-Encoding": "identity", **asked},
        ) as session,
        _follow(session, url, settings) as response,
    ):
        if (response.content_length or 0) > settings.max_bytes:
            raise too_large(settings)
        yield response


async def receive(
    response: aiohttp.ClientResponse,
    url: str,
    settings: FetchSettings,
    take: Callable[[bytes], bool | None],
) -> None:
    """Give the body, as it is without compression, to `take`, until that returns true, unless it
    comes too slowly or is too large."""
    span = 2 * settings.read_timeout_s if settings.min_bytes_per_s else None
    least = settings.min_bytes_per_s * (span or 0)
    slow = (
        f"The server of {printable(url)} sent less than {settings.min_bytes_per_s:g} bytes a "
        f"second for {span} s; upload the recording."
    )
    async with _within(span, slow) as limit:
        received = in_span = 0
        async for chunk in response.content.iter_chunked(_CHUNK):
            received += len(chunk)
            if received > settings.max_bytes:
                raise too_large(settings)
            if take(chunk):
                return
            in_span += len(chunk)
            if span is not None and in_span >= least:
                limit.reschedule(asyncio.get_running_loop().time() + span)
                in_span = 0


@asynccontextmanager
async def _follow(
    session: aiohttp.ClientSession, url: str, settings: FetchSettings
) -> AsyncIterator[aiohttp.ClientResponse]:
    """The first answer that is no redirect. Each hop is a request of its own to the guard."""
    shown = printable(url)
    target = Target.of(url)
    credentials: dict[Origin, str] = {}
    late = (
        f"The server of {shown} sent no complete answer header within "
        f"{settings.headers_timeout_s:g} s."
    )
    for _ in range(settings.max_redirects + 1):
        if target.credentials is not None:
            credentials[target.origin] = target.credentials
        known = credentials.get(target.origin)
        headers = {} if known is None else {"Authorization": known}
        async with _within(settings.headers_timeout_s, late):
            response = await session.get(target.url, headers=headers, allow_redirects=False)
        async with response:
            if response.status in _REDIRECTS and "Location" in response.headers:
                target = target.follow(response.headers["Location"])
                continue
            beyond = response.status == _BEYOND and "Range" in session.headers
            if not (200 <= response.status < 300 or beyond):
                answer = f"{response.status} {response.reason or ''}".rstrip()
                raise SourceRefused(
                    f"The server of {shown} answered {answer}; "
                    "check that the URL can be opened without signing in."
                )
            yield response
            return
    raise TooManyRedirects(
        f"{shown} redirects more than {settings.max_redirects} times; give the URL of the "
        "recording itself."
    )


@asynccontextmanager
async def _within(seconds: float | None, sentence: str) -> AsyncIterator[asyncio.Timeout]:
    """Raises SourceTimeout with the sentence where the block takes longer."""
    limit = asyncio.timeout(seconds)
    try:
        async with limit:
            yield limit
    except TimeoutError as error:
        if limit.expired():
            raise SourceTimeout(sentence) from error
        raise


def too_large(settings: FetchSettings) -> RecordingTooLarge:
    return RecordingTooLarge(
        f"The recording is larger than the {settings.max_bytes:,} bytes that this service takes."
    )


@asynccontextmanager
async def _sentences(url: str, settings: FetchSettings) -> AsyncIterator[None]:
    """Turn what aiohttp raises into errors of ours."""
    shown = printable(url)
    try:
        yield
    except (aiohttp.InvalidURL, UnicodeError) as error:
        raise InvalidSource(f"{shown} is not a valid URL.") from error
    except aiohttp.ConnectionTimeoutError as error:
        raise SourceTimeout(
            f"No connection to the server of {shown} within {settings.connect_timeout_s:g} s."
        ) from error
    except aiohttp.SocketTimeoutError as error:
        raise SourceTimeout(
            f"The server of {shown} sent nothing for {settings.read_timeout_s:g} s."
        ) from error
    except aiohttp.ClientConnectorDNSError as error:
        raise SourceUnreachable(
            f"The host of {shown} does not resolve to an address; check its spelling."
        ) from error
    except (aiohttp.ClientSSLError, aiohttp.ServerFingerprintMismatch) as error:
        raise SourceUnreachable(
            f"The server of {shown} did not prove who it is: its TLS certificate is not accepted."
        ) from error
    except aiohttp.ClientConnectorError as error:
        raise SourceUnreachable(f"No connection to the server of {shown} is possible.") from error
    except aiohttp.ClientResponseError as error:
        raise SourceUnreachable(
            f"What the server of {shown} answered is not HTTP, or has a header of more than "
            f"{settings.max_header_bytes:,} bytes."
        ) from error
    except aiohttp.ClientError as error:
        raise SourceUnreachable(
            f"The transfer of {shown} broke off; try again, or upload the recording."
        ) from error
