"""URLs as they go over the wire."""

import base64
from dataclasses import dataclass
from urllib.parse import quote, unquote_to_bytes, urljoin, urlsplit

import yarl

from interchange.errors import InvalidSource
from interchange.network import printable

_AS_IT_IS = "!#$%&'()*+,-./:;=?@[\\]^_`{|}~"
"""What is sent as it came besides letters and digits. The percent sign above all: a signature is
over the escapes that a URL was made with, not over others that mean the same."""

_LONGEST_HOST = 253
_LONGEST_LABEL = 63

Origin = tuple[str, str, int]


@dataclass(frozen=True)
class Target:
    """Where one request goes.

    `url` holds no credentials: those that the text named are the value of an `Authorization`
    header in `credentials`, for requests to `origin` only.
    """

    url: yarl.URL
    origin: Origin
    credentials: str | None

    @classmethod
    def of(cls, text: str) -> "Target":
        """Raises InvalidSource for what is no URL of http or https, or has an impossible host."""
        try:
            parts = urlsplit(text.strip())
            scheme, host, port = parts.scheme.lower(), parts.hostname or "", parts.port
        except ValueError as error:
            raise _unusable(text) from error
        if scheme not in ("http", "https") or not host:
            raise _unusable(text)
        host = _checked(host, text)
        try:
            place = yarl.URL.build(scheme=scheme, host=host, port=port)
            path = _escaped(parts.path or "/") + (
                f"?{_escaped(parts.query)}" if parts.query else ""
            )
            url = yarl.URL(f"{scheme}://{place.raw_authority}{path}", encoded=True)
            user, password = _raw(parts.username), _raw(parts.password)
        except ValueError as error:  # UnicodeError is one
            raise InvalidSource(f"{printable(text)} is not a valid URL.") from error
        credentials = None
        if user is not None or password is not None:
            both = (user or b"") + b":" + (password or b"")
            credentials = "Basic " + base64.b64encode(both).decode("ascii")
        return cls(url, (scheme, place.raw_host or "", place.port or 0), credentials)

    def follow(self, location: str) -> "Target":
        """Where a `Location` header of its answer leads. Raises InvalidSource."""
        try:
            return Target.of(urljoin(str(self.url), location))
        except ValueError as error:
            raise InvalidSource(f"{printable(str(self.url))} redirects to no valid URL.") from error


def _unusable(text: str) -> InvalidSource:
    return InvalidSource(
        f"{printable(text)} cannot be fetched: only http:// and https:// URLs with a host can."
    )


def _checked(host: str, text: str) -> str:
    """`host` in ASCII (IDNA), with labels that the domain name system can hold."""
    if ":" in host:  # an IPv6 address
        return host
    try:
        encoded = yarl.URL.build(scheme="http", host=host).raw_host or ""
    except ValueError as error:
        raise InvalidSource(f"The host of {printable(text)} is not a valid name.") from error
    labels = encoded.removesuffix(".").split(".")
    if len(encoded) > _LONGEST_HOST or not all(
        0 < len(label) <= _LONGEST_LABEL for label in labels
    ):
        raise InvalidSource(
            f"The host of {printable(text)} cannot be: the parts of a name between its dots have "
            f"1 to {_LONGEST_LABEL} characters; check its spelling."
        )
    return encoded


def _escaped(text: str) -> str:
    """`text` with escapes for what a URL cannot hold.

    A header that is not ASCII arrives with its bytes as surrogates (PEP 383), and they go out
    as the bytes they were. Raises UnicodeEncodeError for other surrogates.
    """
    return quote(text.encode("utf-8", "surrogateescape"), safe=_AS_IT_IS)


def _raw(text: str | None) -> bytes | None:
    return None if text is None else unquote_to_bytes(text.encode("utf-8", "surrogateescape"))
