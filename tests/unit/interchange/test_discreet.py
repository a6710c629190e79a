"""Logs that hold no sentence about a recording."""

import logging

import pytest

from interchange.discreet import keep_recordings_out_of_logs
from interchange.errors import SourceUnreachable


def test_an_error_of_a_recording_leaves_its_code_and_a_fault_its_traceback(
    caplog: pytest.LogCaptureFixture,
) -> None:
    keep_recordings_out_of_logs()
    keep_recordings_out_of_logs()
    log = logging.getLogger("ray.serve")
    for error in (SourceUnreachable("No way to http://example.com/secret.mp3."), KeyError("bug")):
        try:
            raise error
        except Exception:
            log.exception("Request failed.")
    expected, fault = caplog.records
    assert expected.getMessage() == "Request failed. url_unreachable (400)"
    assert "secret" not in caplog.text
    assert fault.exc_info is not None
    assert "bug" in caplog.text
