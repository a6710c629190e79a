"""curl as in OpenAI's documents and as others' clients post, and the `openai` command of 1.x."""

import shutil
import subprocess
import sys
from pathlib import Path

from seen import BASE_URL, FILE, KEY, URL, call


def run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{command[0]} ended with {done.returncode}: {done.stderr}")
    return done.stdout


def curl(path: str, *fields: str, file: str = f"file=@{FILE}") -> str:
    forms = [part for field in (file, *fields) for part in ("-F", field)]
    key = ("-H", f"Authorization: Bearer {KEY}")
    return run("curl", "-sS", "--fail-with-body", f"{URL}{path}", *key, *forms)


def openai(*arguments: str) -> str:
    command = shutil.which("openai", path=str(Path(sys.executable).parent))
    # It joins the path to what it is given, without a slash.
    return run(command or "openai", "-b", f"{BASE_URL}/", "-k", KEY, "api", *arguments)


def raw() -> Path:
    """The samples alone, as Bazarr sends them."""
    pcm = FILE.with_suffix(".s16le")
    pcm.write_bytes(FILE.read_bytes()[44:])
    return pcm


TRANSCRIPTIONS = "/v1/audio/transcriptions"
WHISPER = "model=whisper-1"

call("curl: json", lambda: curl(TRANSCRIPTIONS, WHISPER))
call(
    "curl: words",
    lambda: curl(
        TRANSCRIPTIONS,
        WHISPER,
        "response_format=verbose_json",
        "timestamp_granularities[]=word",
    ),
)
call("curl: stream", lambda: curl(TRANSCRIPTIONS, "model=gpt-4o-transcribe", "stream=true"))
call(
    "curl: server_vad",
    lambda: curl(
        TRANSCRIPTIONS,
        WHISPER,
        "chunking_strategy[type]=server_vad",
        "chunking_strategy[prefix_padding_ms]=100",
        "chunking_strategy[silence_duration_ms]=500",
        "chunking_strategy[threshold]=0.6",
    ),
)
call("curl: translation", lambda: curl("/v1/audio/translations", WHISPER))
call(
    "openai 1.x: transcriptions",
    lambda: openai("audio.transcriptions.create", "-m", "whisper-1", "-f", str(FILE)),
)
call(
    "openai 1.x: translations",
    lambda: openai("audio.translations.create", "-m", "whisper-1", "-f", str(FILE)),
)
call(
    "as Bazarr: /asr",
    lambda: curl(
        "/asr?task=transcribe&language=en&output=srt&encode=false", file=f"audio_file=@{raw()}"
    ),
)
call(
    "as Bazarr: /detect-language",
    lambda: curl("/detect-language?encode=false", file=f"audio_file=@{raw()}"),
    holds="english",
)
