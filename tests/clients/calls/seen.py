"""How a client's script says what its calls did: a line of JSON each."""

import json
import os
import traceback
from collections.abc import Callable
from pathlib import Path

URL = os.environ["RAYSCRIBE_URL"]
BASE_URL = f"{URL}/v1"
FILE = Path(os.environ["RAYSCRIBE_FILE"])
KEY = "any"


def call(name: str, work: Callable[[], object], *, holds: str = "hello") -> None:
    """Do a call and say what became of it: its result has to hold a word of the recording."""
    try:
        result = str(work())
        assert holds in result.lower(), f"{holds!r} is not in {result!r}"
    except Exception as error:  # noqa: BLE001 - whatever a client raises is what it did
        traceback.print_exc()
        said = " ".join(f"{type(error).__name__}: {error}".split())
        print(json.dumps({"call": name, "error": said}), flush=True)
        return
    print(json.dumps({"call": name, "error": None}), flush=True)
