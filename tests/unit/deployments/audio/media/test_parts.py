import io

import pytest

from deployments.audio.media.parts import parts
from interchange.errors import UndecodableRecording


class _Pipe(io.BytesIO):
    def seekable(self) -> bool:
        return False


@pytest.mark.parametrize("file", [io.BytesIO(), _Pipe()], ids=["file", "pipe"])
def test_an_empty_file_is_called_empty(file: io.BytesIO) -> None:
    with pytest.raises(UndecodableRecording, match="is empty"):
        next(parts(file))
