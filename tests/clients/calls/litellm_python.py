"""LiteLLM, with and without options."""

import os

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "true"  # else it asks the internet for prices

import litellm
from seen import BASE_URL, FILE, KEY, call


def transcribe(**options: object) -> str:
    with FILE.open("rb") as file:
        answer = litellm.transcription(
            model="openai/whisper-1", file=file, api_base=BASE_URL, api_key=KEY, **options
        )
    return answer if isinstance(answer, str) else answer.text


call("json", transcribe)
call(
    "verbose_json with words",
    lambda: transcribe(response_format="verbose_json", timestamp_granularities=["word"]),
)
call("json with timestamp_granularities", lambda: transcribe(timestamp_granularities=["word"]))
call("srt", lambda: transcribe(response_format="srt"))
