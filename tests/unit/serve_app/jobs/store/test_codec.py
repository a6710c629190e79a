from interchange.stages import BlobSource
from serve_app.jobs.store.codec import REQUEST, TRANSCRIPT, WEBHOOK, WINDOW
from serve_app.transcription.request import TranscriptionRequest
from tests.support.jobs import WEBHOOK as HOOK
from tests.support.jobs import new_job, transcript, window_transcript


def test_what_a_job_keeps_comes_back_exactly() -> None:
    request = new_job().request
    upload = TranscriptionRequest("r", BlobSource("0a", "“a”.wav"), languages=("de", "en"))
    whole = transcript()
    assert REQUEST.load(REQUEST.dump(request)) == request
    assert REQUEST.load(REQUEST.dump(upload)) == upload
    assert WINDOW.load(WINDOW.dump(window_transcript(3))) == window_transcript(3)
    assert TRANSCRIPT.load(TRANSCRIPT.dump(whole)) == whole
    assert WEBHOOK.load(WEBHOOK.dump(HOOK)) == HOOK


def test_a_row_of_another_version_can_be_read() -> None:
    text = '{"id":"r","source":{"url":"http://a.test/"},"task":"translate","unheard_of":1}'
    assert REQUEST.load(text).task == "translate"
    assert REQUEST.load(text).temperature == 0.0
