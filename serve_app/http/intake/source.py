"""What a recording may come from: an upload, or a URL."""

from collections.abc import Iterator
from contextlib import contextmanager

from interchange.errors import ClientError, InvalidOption, InvalidSource
from interchange.stages import BlobSource, Source, UrlSource


def recording_source(file: BlobSource | None, url: str | None, *, asked: str) -> Source:
    """The one of both that was sent. `asked` is the option at fault where neither was.

    Raises InvalidOption, and InvalidSource for a URL that is none of http or https.
    """
    if file is not None and url is not None:
        raise InvalidOption("The form has a 'file' and a 'url'; send one of them.", "url")
    if file is not None:
        return file
    if url is None:
        raise InvalidOption("There is no recording; upload it as 'file', or give its 'url'.", asked)
    return url_source(url)


def url_source(url: str) -> UrlSource:
    """Raises InvalidSource for a URL that is none of http or https."""
    if not url.lower().startswith(("http://", "https://")):
        raise InvalidSource(f"The url {url!r} does not begin with http:// or https://.")
    return UrlSource(url)


@contextmanager
def recording_at_fault(source: Source) -> Iterator[None]:
    """An error of the recording says of itself that `file` is at fault; if it came by a URL, that
    is."""
    try:
        yield
    except ClientError as error:
        if error.param == "file" and isinstance(source, UrlSource):
            error.param = "url"
        raise
