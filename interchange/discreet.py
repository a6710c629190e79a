"""Logs that hold no sentence about a recording."""

import logging

from interchange.errors import RayscribeError

_SERVE = logging.getLogger("ray.serve")


class _CodesOnly(logging.Filter):
    """Serve logs each error that leaves a replica with its traceback and its message. In those of
    ours stand addresses, names and options of clients: their codes say enough. Others are faults,
    and stay as they are."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, RayscribeError):
            record.msg = f"{record.getMessage()} {error.code} ({error.status})"
            record.args = ()
            record.exc_info = record.exc_text = None
        return True


def keep_recordings_out_of_logs() -> None:
    """In this process, from now on. A second time does nothing."""
    if not any(isinstance(each, _CodesOnly) for each in _SERVE.filters):
        _SERVE.addFilter(_CodesOnly())
