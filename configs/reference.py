"""`python -m configs.reference FILE…`: write the tables of settings into Markdown files.

A file says where they go by `<!-- settings -->` and `<!-- /settings -->`; what stands between
the two is replaced. The tables are made from the code, and a test compares them with it.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from configs.secrets import Secrets
from configs.settings import OTHER_VARIABLES, PREFIX, Settings

_BLOCK = re.compile(r"(?<=<!-- settings -->\n).*?(?=<!-- /settings -->)", re.DOTALL)


def tables() -> str:
    settings = "\n".join(_rows(Settings, "", PREFIX))
    others = "\n".join(
        [f"| `{field.validation_alias}` | {field.description} |" for field in _secrets()]
        + [f"| `{name}` | {meaning} |" for name, meaning in OTHER_VARIABLES.items()]
    )
    return (
        "\n| setting of a profile's `args` | variable | default | meaning |\n"
        f"| --- | --- | --- | --- |\n{settings}\n\n"
        f"| variable only | meaning |\n| --- | --- |\n{others}\n\n"
    )


def written(text: str) -> str:
    """`text` with the tables in their place. Raises ValueError where it has no place for them."""
    if not _BLOCK.search(text):
        raise ValueError("The text has no pair of `<!-- settings -->` and `<!-- /settings -->`.")
    return _BLOCK.sub(lambda _: tables(), text)


def _secrets() -> Iterator[FieldInfo]:
    yield from Secrets.model_fields.values()


def _rows(model: type[BaseModel], path: str, variable: str) -> Iterator[str]:
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _rows(field.annotation, f"{path}{name}.", f"{variable}{name.upper()}__")
        else:
            default = _shown(field.get_default(call_default_factory=True))
            yield (
                f"| `{path}{name}` | `{variable}{name.upper()}` | {default} | {field.description} |"
            )


def _shown(value: Any) -> str:
    if value is None or value == ():
        return "–"
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    # A default that lies in somebody's home is not the reader's.
    return f"`{str(value).replace(str(Path.home()), '~')}`"


if __name__ == "__main__":
    for file in map(Path, sys.argv[1:]):
        file.write_text(written(file.read_text()))
