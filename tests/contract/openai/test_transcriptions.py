"""OpenAI's audio API, as raw HTTP."""

import itertools
import json
import re
from dataclasses import replace
from typing import Any

import httpx2
import pytest
from starlette.testclient import TestClient

from interchange.errors import (
    MissingToken,
    QueueFull,
    RecognitionFailed,
    SourceUnreachable,
    Unavailable,
    UndecodableRecording,
)
from interchange.stages import BlobSource, SpeechDetection, UrlSource
from interchange.transcript import Token, Transcript
from serve_app.transcription.speakers import assign, named
from tests.fakes.services import (
    DIALOGUE,
    GREETING,
    MODEL,
    SILENCE,
    TRUNCATED,
    FakeTranscriber,
    FakeUploads,
    segment,
    transcript,
)

ROUTE = "/v1/audio/transcriptions"
FILE = ("speech.wav", b"RIFF....", "audio/wav")


def post(client: TestClient, **fields: Any) -> httpx2.Response:
    data = {"model": "whisper-1"} | fields
    return client.post(ROUTE, data=data, files={"file": FILE})


def translate(client: TestClient, **fields: Any) -> httpx2.Response:
    data = {"model": "whisper-1"} | fields
    return client.post("/v1/audio/translations", data=data, files={"file": FILE})


def events(answer: httpx2.Response) -> list[Any]:
    lines = [line.removeprefix("data: ") for line in answer.text.split("\n\n") if line]
    assert lines.pop() == "[DONE]"
    return [json.loads(line) for line in lines]


def test_json(client: TestClient, transcriber: FakeTranscriber) -> None:
    answer = post(client)
    assert answer.status_code == 200
    assert answer.json() == {
        "text": "Hello there. How are you?",
        "languages": [{"code": "en"}],
        "usage": {"type": "duration", "seconds": 3.75},
    }
    request = transcriber.requests[0]
    assert request.source == BlobSource("blob-0", "speech.wav")
    assert (request.task, request.language, request.words) == ("transcribe", None, False)


def test_silence(client: TestClient, transcriber: FakeTranscriber) -> None:
    transcriber.result = SILENCE
    assert post(client).json()["text"] == ""
    assert post(client).json()["languages"] == []
    assert post(client, response_format="text").text == ""
    assert post(client, response_format="srt").text == ""
    assert post(client, response_format="vtt").text == "WEBVTT\n\n"
    verbose = post(client, response_format="verbose_json").json()
    assert (verbose["text"], verbose["segments"]) == ("", [])
    assert post(client, response_format="diarized_json").json()["segments"] == []
    assert [event["type"] for event in events(post(client, stream="true"))] == [
        "transcript.text.done"
    ]


def test_verbose_json(client: TestClient) -> None:
    body = post(client, response_format="verbose_json").json()
    assert body["task"] == "transcribe"
    assert body["language"] == "english"
    assert body["duration"] == 3.75
    assert body["text"] == "Hello there. How are you?"
    assert body["usage"] == {"type": "duration", "seconds": 3.75}
    assert body["segments"][1] == {
        "id": 1,
        "seek": 200,
        "start": 2.0,
        "end": 3.25,
        "text": " How are you?",
        "tokens": [1, 2],
        "temperature": 0.0,
        "avg_logprob": -0.2,
        "compression_ratio": 1.0,
        "no_speech_prob": 0.0,
    }
    assert body["quality"] == {
        "transcribed": 3.25,
        "silent": 0.5,
        "silence_score": 1.0,
        "decoded_again": 0.0,
        "failed": 0.0,
        "channels": 1,
        "notes": [],
    }
    assert "words" not in body
    assert "speakers" not in body


@pytest.mark.parametrize(
    "field",
    ["timestamp_granularities[]", "timestamp_granularities", "timestamp_granularities[0]"],
)
@pytest.mark.parametrize(
    ("wanted", "present"),
    [
        (["word"], {"words"}),
        (["segment"], {"segments"}),
        (["word", "segment"], {"words", "segments"}),
    ],
)
def test_granularities(
    client: TestClient,
    transcriber: FakeTranscriber,
    field: str,
    wanted: list[str],
    present: set[str],
) -> None:
    body = post(client, response_format="verbose_json", **{field: wanted}).json()
    assert {"words", "segments"} & set(body) == present
    assert transcriber.requests[0].words == ("word" in wanted)
    if "words" in present:
        assert body["words"][0] == {"word": "Hello", "start": 0.0, "end": 0.75}


@pytest.mark.parametrize("response_format", ["json", "text", "srt", "vtt", "diarized_json"])
def test_granularities_beside_other_formats_change_nothing(
    client: TestClient, response_format: str
) -> None:
    plain = post(client, response_format=response_format)
    asked = {"timestamp_granularities[]": ["word"]}
    assert post(client, response_format=response_format, **asked).text == plain.text


def test_words_are_not_timed_where_the_format_has_none(
    client: TestClient, transcriber: FakeTranscriber
) -> None:
    post(client, **{"timestamp_granularities[]": ["word"]})
    assert not transcriber.requests[0].words


def spelled(result: Transcript) -> Transcript:
    """With a token a letter; the last one is a part of a character only."""
    segments = [
        replace(each, spelled=tuple(Token((byte,), -0.5) for byte in each.text.encode()))
        for each in result.segments
    ]
    return replace(result, segments=tuple(segments))


@pytest.mark.parametrize("field", ["include[]", "include", "include[0]"])
def test_logprobs(client: TestClient, transcriber: FakeTranscriber, field: str) -> None:
    transcriber.result = spelled(GREETING)
    body = post(client, **{field: "logprobs"}).json()
    assert transcriber.requests[0].recognition.logprobs
    assert body["logprobs"][0] == {"token": "H", "logprob": -0.5, "bytes": [72]}
    assert "".join(token["token"] for token in body["logprobs"]) == body["text"]
    assert bytes(b for token in body["logprobs"] for b in token["bytes"]).decode() == body["text"]
    assert "logprobs" not in post(client).json()
    assert not transcriber.requests[1].recognition.logprobs


def test_a_token_that_is_half_a_character_is_told_by_its_bytes(
    client: TestClient, transcriber: FakeTranscriber
) -> None:
    part = replace(segment("é", 0, 1), spelled=(Token((32, 0xC3), -0.1), Token((0xA9,), -0.2)))
    transcriber.result = transcript(part)
    body = post(client, **{"include[]": "logprobs"}).json()
    assert [token["bytes"] for token in body["logprobs"]] == [[0xC3], [0xA9]]
    assert body["logprobs"][0]["token"] == "\N{REPLACEMENT CHARACTER}"


def test_logprobs_of_a_stream(client: TestClient, transcriber: FakeTranscriber) -> None:
    transcriber.result = spelled(GREETING)
    *deltas, done = events(post(client, stream="true", **{"include[]": "logprobs"}))
    for delta in deltas:
        assert "".join(token["token"] for token in delta["logprobs"]) == delta["delta"]
    assert [token for delta in deltas for token in delta["logprobs"]] == done["logprobs"]


def test_speakers_beside_the_segments(client: TestClient, transcriber: FakeTranscriber) -> None:
    transcriber.result = DIALOGUE
    body = post(client, response_format="verbose_json", speakers="true").json()
    assert [part["speaker"] for part in body["segments"]] == ["SPEAKER_00", "SPEAKER_01"]
    assert body["speakers"][1] == {"start": 1.9, "end": 3.3, "speaker": "SPEAKER_01"}
    assert transcriber.requests[0].speakers


def test_diarized_json(client: TestClient, transcriber: FakeTranscriber) -> None:
    transcriber.result = DIALOGUE
    body = post(client, response_format="diarized_json", num_speakers="2").json()
    assert body == {
        "task": "transcribe",
        "duration": 3.75,
        "text": "Hello there. How are you?",
        "segments": [
            {
                "type": "transcript.text.segment",
                "id": "seg_001",
                "start": 0.0,
                "end": 1.5,
                "text": "Hello there.",
                "speaker": "A",
            },
            {
                "type": "transcript.text.segment",
                "id": "seg_002",
                "start": 2.0,
                "end": 3.25,
                "text": "How are you?",
                "speaker": "B",
            },
        ],
        "usage": {"type": "duration", "seconds": 3.75},
    }
    assert transcriber.requests[0].num_speakers == 2


@pytest.mark.parametrize(
    ("wanted", "kind", "start"),
    [
        ("text", "text/plain", "Hello there. How are you?\n"),
        (
            "srt",
            "application/x-subrip",
            "1\n00:00:00,000 --> 00:00:03,250\nHello there. How are you?\n",
        ),
        ("vtt", "text/vtt", "WEBVTT\n\n00:00:00.000 --> "),
    ],
)
def test_files(client: TestClient, wanted: str, kind: str, start: str) -> None:
    answer = post(client, response_format=wanted)
    assert answer.headers["content-type"] == f"{kind}; charset=utf-8"
    assert answer.text.startswith(start)


def test_options_reach_the_graph(client: TestClient, transcriber: FakeTranscriber) -> None:
    answer = post(
        client,
        language="German",
        prompt="As I said",
        temperature="0.25",
        **{"keywords[]": ["Rayscribe", "Whisper"], "languages[]": ["de", "french"]},
    )
    assert answer.status_code == 200
    request = transcriber.requests[0]
    assert request.language == "de"
    assert request.languages == ("de", "fr")
    assert request.temperature == 0.25
    assert request.prompt == "Rayscribe, Whisper. As I said"


AS_USUAL = None
BY_DEFAULT = SpeechDetection(threshold=0.5, silence_s=0.2, padding_s=0.3)


@pytest.mark.parametrize(
    ("strategy", "detection"),
    [
        ({}, AS_USUAL),
        ({"chunking_strategy": "auto"}, AS_USUAL),
        ({"chunking_strategy": '{"type": "auto"}'}, AS_USUAL),
        ({"chunking_strategy": "server_vad"}, BY_DEFAULT),
        ({"chunking_strategy[type]": "server_vad"}, BY_DEFAULT),
        ({"chunking_strategy": '{"type": "server_vad"}'}, BY_DEFAULT),
        (
            {
                "chunking_strategy[type]": "server_vad",
                "chunking_strategy[threshold]": "0.7",
                "chunking_strategy[silence_duration_ms]": "650",
                "chunking_strategy[prefix_padding_ms]": "100",
            },
            SpeechDetection(threshold=0.7, silence_s=0.65, padding_s=0.1),
        ),
    ],
)
def test_chunking_strategies(
    client: TestClient,
    transcriber: FakeTranscriber,
    strategy: dict[str, str],
    detection: SpeechDetection | None,
) -> None:
    assert post(client, **strategy).status_code == 200
    assert transcriber.requests[0].loading(pcm=False).detection == detection


def test_the_first_window_is_short_for_who_streams(
    client: TestClient, transcriber: FakeTranscriber
) -> None:
    post(client, stream="true")
    post(client)
    first_windows = [each.loading(pcm=True).first_window_s for each in transcriber.requests]
    assert first_windows == [8.0, None]


def test_fields_nobody_knows_and_empty_ones(client: TestClient) -> None:
    assert post(client, flavour="vanilla", language="", prompt="").status_code == 200


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"model": ""}, "model"),
        ({"response_format": "xml"}, "response_format"),
        ({"temperature": "hot"}, "temperature"),
        ({"temperature": "1.5"}, "temperature"),
        ({"language": "klingon"}, "language"),
        ({"stream": "perhaps"}, "stream"),
        (
            {"response_format": "verbose_json", "timestamp_granularities[]": ["char"]},
            "timestamp_granularities",
        ),
        ({"include[]": ["pitch"]}, "include"),
        ({"include[]": ["logprobs"], "response_format": "verbose_json"}, "include"),
        ({"include[]": ["logprobs"], "response_format": "diarized_json"}, "include"),
        ({"languages[]": ["en", "klingon"]}, "languages"),
        ({"known_speaker_names[]": ["Ada"]}, "known_speaker_names"),
        ({"known_speaker_references[]": ["data:,"]}, "known_speaker_references"),
        ({"chunking_strategy": "{"}, "chunking_strategy"),
        ({"chunking_strategy": "never"}, "chunking_strategy.type"),
        ({"chunking_strategy[threshold]": "0.5"}, "chunking_strategy.type"),
        (
            {"chunking_strategy[type]": "auto", "chunking_strategy[threshold]": "0.5"},
            "chunking_strategy.type",
        ),
        (
            {"chunking_strategy[type]": "server_vad", "chunking_strategy[threshold]": "2"},
            "chunking_strategy.threshold",
        ),
        (
            {"chunking_strategy[type]": "server_vad", "chunking_strategy[volume]": "2"},
            "chunking_strategy.volume",
        ),
        ({"num_speakers": "0"}, "num_speakers"),
        ({"num_speakers": "3", "max_speakers": "2"}, "num_speakers"),
        ({"min_speakers": "3", "max_speakers": "2"}, "min_speakers"),
        ({"progress": "true"}, "progress"),
    ],
)
def test_bad_options(
    client: TestClient,
    transcriber: FakeTranscriber,
    uploads: FakeUploads,
    fields: dict[str, Any],
    param: str | None,
) -> None:
    answer = post(client, **fields)
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["type"] == "invalid_request_error"
    assert error["param"] == param
    assert re.fullmatch(r"['A-Z].*[^.]\.", error["message"])
    for word in ("Input", "input", "Extra", "permitted", "instance", "Value error"):
        assert word not in error["message"]
    assert not transcriber.requests
    assert not uploads.kept


def test_the_recording_is_required(client: TestClient) -> None:
    answer = client.post(ROUTE, data={"model": "whisper-1"})
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == "file"


def test_a_url_instead_of_a_file(client: TestClient, transcriber: FakeTranscriber) -> None:
    url = "https://example.com/a.mp3?x=1&y=2"
    answer = client.post(ROUTE, data={"model": "whisper-1", "url": url})
    assert answer.status_code == 200
    assert transcriber.requests[0].source == UrlSource(url)
    assert post(client, url=url).status_code == 400
    answer = client.post(ROUTE, data={"model": "whisper-1", "url": "file:///etc/passwd"})
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "invalid_url"
    assert answer.json()["error"]["param"] == "url"


@pytest.mark.parametrize("stream", ["true", "false"])
def test_a_bad_recording_is_a_bad_file_or_a_bad_url(
    client: TestClient, transcriber: FakeTranscriber, stream: str
) -> None:
    transcriber.error = UndecodableRecording("It is not audio.")
    answers = [
        post(client, stream=stream),
        client.post(ROUTE, data={"model": "whisper-1", "url": "http://a.b/", "stream": stream}),
    ]
    assert [answer.status_code for answer in answers] == [400, 400]
    assert [answer.json()["error"]["param"] for answer in answers] == ["file", "url"]


def test_a_recording_that_turns_out_bad_in_a_stream_names_the_field_too(
    client: TestClient, transcriber: FakeTranscriber
) -> None:
    transcriber.late_error = UndecodableRecording("It is not audio.")
    answer = client.post(ROUTE, data={"model": "whisper-1", "url": "http://a.b/", "stream": "1"})
    last = json.loads(answer.text.strip().split("\n\n")[-1].removeprefix("data: "))
    assert (last["error"]["param"], last["error"]["type"]) == ("url", "invalid_request_error")


@pytest.mark.parametrize(
    "name",
    [
        "whisper-1",
        "gpt-transcribe",
        "gpt-4o-transcribe",
        "gpt-4o-transcribe-diarize",
        "gpt-4o-mini-transcribe",
        "gpt-4o-mini-transcribe-2025-12-15",
        MODEL,
    ],
)
def test_model_names(client: TestClient, name: str) -> None:
    assert post(client, model=name).status_code == 200
    assert client.get(f"/v1/models/{name}").json()["id"] == name


def test_an_unknown_model(client: TestClient, uploads: FakeUploads) -> None:
    for answer in (post(client, model="whisper-9"), client.get("/v1/models/whisper-9")):
        assert answer.status_code == 404
        assert "whisper-9" in answer.json()["error"]["message"]
        assert answer.json()["error"]["code"] == "model_not_found"
    assert not uploads.kept


def test_models(client: TestClient) -> None:
    body = client.get("/v1/models").json()
    assert body["object"] == "list"
    model, *aliases = body["data"]
    assert model["id"] == MODEL
    assert {alias["id"] for alias in aliases} >= {"whisper-1", "gpt-4o-transcribe-diarize"}
    for each in body["data"]:
        assert client.get(f"/v1/models/{each['id']}").json() == each
    assert model["object"] == "model"
    assert model["owned_by"] == "openai"
    assert isinstance(model["created"], int)


def test_translations(client: TestClient, transcriber: FakeTranscriber) -> None:
    body = translate(client, response_format="verbose_json", prompt="So").json()
    assert (body["task"], body["language"]) == ("translate", "english")
    assert transcriber.requests[0].task == "translate"
    assert transcriber.requests[0].prompt == "So"
    assert translate(client).json()["text"] == "Hello there. How are you?"
    assert translate(client, response_format="srt").status_code == 200
    assert translate(client, response_format="diarized_json").status_code == 400


def test_stream(client: TestClient) -> None:
    answer = post(client, stream="true")
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert events(answer) == [
        {"type": "transcript.text.delta", "delta": "Hello there."},
        {"type": "transcript.text.delta", "delta": " How are you?"},
        {
            "type": "transcript.text.done",
            "text": "Hello there. How are you?",
            "languages": [{"code": "en"}],
            "usage": {
                "type": "tokens",
                "input_tokens": 188,
                "output_tokens": 4,
                "total_tokens": 192,
                "seconds": 3.75,
            },
        },
    ]


def test_stream_with_speakers(client: TestClient, transcriber: FakeTranscriber) -> None:
    transcriber.result = DIALOGUE
    sent = events(post(client, stream="true", response_format="diarized_json"))
    assert [event["type"].rsplit(".", 1)[1] for event in sent] == [
        "delta",
        "segment",
        "delta",
        "segment",
        "done",
    ]
    assert [event["segment_id"] for event in sent[:4:2]] == ["seg_001", "seg_002"]
    whole = post(client, response_format="diarized_json").json()
    assert sent[1:4:2] == whole["segments"]
    assert "".join(event["delta"] for event in sent[:4:2]) == sent[-1]["text"] == whole["text"]


def test_a_segment_is_final_once_its_speakers_are_known(
    client: TestClient, transcriber: FakeTranscriber
) -> None:
    """Two people speak in what recognition took for one segment."""
    transcriber.result = replace(
        DIALOGUE, segments=assign([segment("Hello there. I am.", 0, 4)], DIALOGUE.turns or ())
    )
    transcriber.heard = (segment("Hello there. I am.", 0, 4),)
    sent = events(post(client, stream="true", response_format="diarized_json"))
    segments = [event for event in sent if event["type"] == "transcript.text.segment"]
    assert [(each["speaker"], each["text"]) for each in segments] == [
        ("A", "Hello there."),
        ("B", "I am."),
    ]
    assert segments == post(client, response_format="diarized_json").json()["segments"]


def test_white_space_between_segments_is_kept_and_none_ends_the_text(
    client: TestClient, transcriber: FakeTranscriber
) -> None:
    parts = [replace(segment("x", 0, 1), text=text) for text in ("  ", " a \n", "b", " ", " c ")]
    transcriber.result = transcript(*parts)
    *deltas, done = events(post(client, stream="true"))
    assert "".join(event["delta"] for event in deltas) == done["text"] == "a \nb  c"


@pytest.mark.parametrize("wanted", ["json", "verbose_json", "srt", "text"])
def test_stream_with_progress(client: TestClient, wanted: str) -> None:
    sent = events(post(client, stream="true", progress="true", response_format=wanted))
    progress = [event for event in sent if event["type"] == "transcript.progress"]
    assert progress[0] == {
        "type": "transcript.progress",
        "loaded": 3.75,
        "recognized": 0.0,
        "total": 3.75,
    }
    whole = post(client, response_format=wanted)
    assert sent[-1]["output"] == (whole.text if wanted in ("srt", "text") else whole.json())


def test_stream_with_several_outputs(client: TestClient, transcriber: FakeTranscriber) -> None:
    form = {"stream": "true", "progress": "true", "outputs[]": ["srt", "verbose_json", "text"]}
    outputs = events(post(client, **form))[-1]["outputs"]
    assert transcriber.requests[0].words, "subtitles are cut between words"
    assert list(outputs) == ["srt", "verbose_json", "text"]
    assert outputs["srt"] == post(client, response_format="srt").text
    assert outputs["verbose_json"] == post(client, response_format="verbose_json").json()


def test_names_for_speakers(client: TestClient, transcriber: FakeTranscriber) -> None:
    assert post(client, speakers="true", **{"speaker_names[]": ["Ann", "Bo"]}).status_code == 200
    assert transcriber.requests[0].speaker_names == ("Ann", "Bo")
    for wrong in ({"speaker_names[]": ["Ann"]}, {"stream": "true", "outputs[]": ["srt"]}):
        assert post(client, **wrong).status_code == 400


def test_a_speaker_whose_name_is_given_keeps_it(
    client: TestClient, transcriber: FakeTranscriber
) -> None:
    turns = named(DIALOGUE.turns or (), ["Ann"])
    transcriber.result = replace(DIALOGUE, turns=turns, segments=assign(DIALOGUE.segments, turns))
    transcriber.turns = DIALOGUE.turns
    asked = {"response_format": "diarized_json", "speaker_names[]": ["Ann"]}
    whole = post(client, **asked).json()["segments"]
    assert [each["speaker"] for each in whole] == ["Ann", "A"]
    sent = events(post(client, stream="true", **asked))
    assert [event for event in sent if event["type"] == "transcript.text.segment"] == whole


def test_an_error_before_the_stream_begins_is_a_status(
    client: TestClient, transcriber: FakeTranscriber
) -> None:
    transcriber.error = UndecodableRecording("It is not audio.")
    assert post(client, stream="true").status_code == 400


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (RecognitionFailed("No window was recognized."), 500, "No window was recognized."),
        (ValueError("a secret"), 500, "An unexpected error of the service"),
    ],
)
def test_an_error_within_the_stream_is_its_last_event(
    client: TestClient,
    transcriber: FakeTranscriber,
    uploads: FakeUploads,
    error: Exception,
    status: int,
    message: str,
) -> None:
    transcriber.late_error = error
    last = post(client, stream="true").text.strip().split("\n\n")[-1]
    body = json.loads(last.removeprefix("data: "))["error"]
    assert set(body) == {"message", "type", "param", "code"}
    assert body["type"] == "server_error"
    assert body["message"].startswith(message)
    assert not uploads.kept


@pytest.mark.parametrize(
    ("error", "status", "kind"),
    [
        (SourceUnreachable("No such host."), 400, "invalid_request_error"),
        (QueueFull("Too much waits.", 7), 429, "rate_limit_error"),
        (MissingToken("No token is set."), 500, "server_error"),
        (Unavailable("No replica.", 3), 503, "server_error"),
        (KeyError("a secret"), 500, "server_error"),
    ],
)
def test_errors(
    client: TestClient,
    transcriber: FakeTranscriber,
    uploads: FakeUploads,
    error: Exception,
    status: int,
    kind: str,
) -> None:
    transcriber.error = error
    answer = post(client)
    assert answer.status_code == status
    body = answer.json()["error"]
    assert set(body) == {"message", "type", "param", "code"}
    assert body["type"] == kind
    assert "secret" not in answer.text
    assert answer.headers.get("retry-after") == {429: "7", 503: "3"}.get(status)
    assert not uploads.kept


@pytest.mark.parametrize(
    ("call", "response_format"),
    [
        *itertools.product([post, translate], ["json", "verbose_json", "text", "srt", "vtt"]),
        (post, "diarized_json"),
    ],
)
def test_what_is_missing_is_said_in_every_format(
    client: TestClient, transcriber: FakeTranscriber, call: Any, response_format: str
) -> None:
    """In the account where the answer has one, else beside the text; a file says it in a header."""
    transcriber.result = TRUNCATED
    answer = call(client, response_format=response_format)
    if response_format == "verbose_json":
        said = answer.json()["quality"]["notes"]
    elif response_format.endswith("json"):
        said = answer.json()["notes"]
    else:
        said = [answer.headers["x-rayscribe-notes"]]
    assert said == list(TRUNCATED.quality.notes)


@pytest.mark.parametrize("response_format", ["json", "diarized_json", "text"])
def test_nothing_is_said_where_nothing_is_missing(client: TestClient, response_format: str) -> None:
    answer = post(client, response_format=response_format)
    assert "notes" not in answer.text
    assert "x-rayscribe-notes" not in answer.headers


@pytest.mark.parametrize("progress", ["true", "false"])
def test_what_is_missing_is_said_at_the_end_of_a_stream(
    client: TestClient, transcriber: FakeTranscriber, progress: str
) -> None:
    transcriber.result = TRUNCATED
    done = events(post(client, stream="true", progress=progress))[-1]
    assert done["type"] == "transcript.text.done"
    assert done["notes"] == list(TRUNCATED.quality.notes)
