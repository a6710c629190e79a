"""Named keys with scopes, in a file that holds their hashes and not the keys.

```yaml
phone-app:
  sha256: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
  scopes: [transcribe, jobs]
  hours_a_day: 10
  waiting_jobs: 50
```

A key is 256 random bits, so that its plain SHA-256 cannot be guessed back.
"""

import hashlib
import os
import re
import secrets
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

Scope = Literal["transcribe", "jobs", "admin"]
"""`transcribe`: send recordings and wait. `jobs`: hand them in, and look after one's own. `admin`:
all of it, and everybody's jobs."""

SCOPES: tuple[Scope, ...] = get_args(Scope)

_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
_Name = Annotated[str, Field(pattern=_NAME)]


class NamedKey(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    scopes: frozenset[Scope] = Field(min_length=1)
    hours_a_day: float | None = Field(None, gt=0)
    """Of audio; no more is let in when so much was transcribed within a day."""
    waiting_jobs: int | None = Field(None, ge=1)
    """That may be there at once and have not ended."""


_KEYS: TypeAdapter[dict[str, NamedKey]] = TypeAdapter(dict[_Name, NamedKey])


class KeysUnreadable(Exception):
    """The file of keys cannot be used. The message says why, and holds no hash."""


def is_name(text: str) -> bool:
    return re.fullmatch(_NAME, text) is not None


def digest(key: str | bytes) -> str:
    """What the file holds of a key: its SHA-256, in hexadecimal."""
    return hashlib.sha256(key.encode() if isinstance(key, str) else key).hexdigest()


def new_key() -> str:
    """A key of letters, digits, - and _, which every header and subprotocol can carry."""
    return f"rs-{secrets.token_urlsafe(32)}"


def read_keys(path: Path) -> dict[str, NamedKey]:
    """The keys by name. Raises KeysUnreadable."""
    try:
        keys = _KEYS.validate_python(yaml.safe_load(path.read_text(encoding="utf-8")) or {})
    except OSError as error:
        raise KeysUnreadable(f"The keys in {path} cannot be read: {error.strerror}.") from error
    except ValidationError as error:
        place = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise KeysUnreadable(
            f"{path} is no file of keys: {place or 'it'}: {error.errors()[0]['msg']}. "
            "`rayscribe keys` writes one."
        ) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise KeysUnreadable(f"{path} is no file of keys: it is not YAML.") from error
    if len({key.sha256 for key in keys.values()}) != len(keys):
        raise KeysUnreadable(f"Two names in {path} have the same key; give each its own.")
    return keys


def write_keys(path: Path, keys: Mapping[str, NamedKey]) -> None:
    """Replace the file in one step, readable by its owner alone. Raises OSError."""
    content = {
        name: key.model_dump(exclude_none=True)
        | {"scopes": [each for each in SCOPES if each in key.scopes]}
        for name, key in keys.items()
    }
    handle, partial = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}")  # mode 0600
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            yaml.safe_dump(content, file, sort_keys=False)
        Path(partial).replace(path)
    except BaseException:
        Path(partial).unlink(missing_ok=True)
        raise
