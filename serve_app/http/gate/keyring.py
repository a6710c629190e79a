"""Whose key is this? Keys of a file and the one of the environment, looked up by their hash."""

import hmac
import logging
import time
from dataclasses import dataclass
from pathlib import Path

from configs.keys import SCOPES, KeysUnreadable, NamedKey, Scope, digest, read_keys

log = logging.getLogger("ray.serve")

_LOOK_EVERY_S = 1.0


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sent a request. `name` is the name of the key, empty for `ADMIN_KEY` and for a service
    without keys. The last two are its quotas, see `NamedKey`."""

    name: str
    scopes: frozenset[Scope]
    hours_a_day: float | None = None
    waiting_jobs: int | None = None

    def may(self, scope: Scope) -> bool:
        return scope in self.scopes or "admin" in self.scopes


OPERATOR = Caller("", frozenset(SCOPES))


class KeyRing:
    """The keys of this service. Raises KeysUnreadable where the file cannot be used at the start;
    later such a file is logged, and the keys that were read last stay."""

    def __init__(self, admin_key: str | None, file: Path | None) -> None:
        self._admin_key = None if admin_key is None else admin_key.encode()
        self._file = file
        self._stamp = _stamp(file)
        self._named = {} if file is None else _by_hash(read_keys(file))
        self._looked_at = time.monotonic()

    @property
    def asks(self) -> bool:
        """Whether anybody needs a key."""
        return self._admin_key is not None or self._file is not None

    def caller(self, key: bytes | None) -> Caller | None:
        """Whose key it is; None for a wrong one, or for none where one is needed."""
        if not self.asks:
            return OPERATOR
        if key is None:
            return None
        if self._admin_key is not None and hmac.compare_digest(key, self._admin_key):
            return OPERATOR
        self._look_again()
        return self._named.get(digest(key))

    def _look_again(self) -> None:
        if self._file is None or time.monotonic() - self._looked_at < _LOOK_EVERY_S:
            return
        self._looked_at = time.monotonic()
        stamp = _stamp(self._file)
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            self._named = _by_hash(read_keys(self._file))
        except KeysUnreadable as error:
            log.error("%s The keys that were read before stay valid.", error)


def _by_hash(keys: dict[str, NamedKey]) -> dict[str, Caller]:
    return {
        key.sha256: Caller(name, key.scopes, key.hours_a_day, key.waiting_jobs)
        for name, key in keys.items()
    }


def _stamp(file: Path | None) -> tuple[int, int, int] | None:
    """What changes when the file does: a secret that is mounted changes by another inode."""
    try:
        status = file.stat() if file is not None else None
    except OSError:
        return None
    return None if status is None else (status.st_ino, status.st_mtime_ns, status.st_size)
