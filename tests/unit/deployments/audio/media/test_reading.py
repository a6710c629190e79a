import io

import pytest

from deployments.audio.media.reading import Account, read


class _Pipe(io.BytesIO):
    def seekable(self) -> bool:
        return False


@pytest.mark.parametrize("file", [io.BytesIO(), _Pipe()], ids=["file", "pipe"])
@pytest.mark.parametrize(("content", "empty"), [(b"", True), (b"?", False), (b"RIFF", False)])
def test_an_empty_file_is_called_empty(file: io.BytesIO, content: bytes, *, empty: bool) -> None:
    file.seek(0)
    file.truncate()
    file.write(content)
    file.seek(0)
    (account,) = read(file)
    assert isinstance(account, Account)
    assert ("is empty" in str(account.failure)) == empty
