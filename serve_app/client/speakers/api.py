"""A client of a running service for voice profiles."""

from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any
from urllib.parse import quote

from serve_app.client.api import Client
from serve_app.client.failures import Refused
from serve_app.client.uploads import Source, file_name, opened

SPEAKERS = "/v1/speakers"

SpeakerObject = dict[str, Any]
"""The object of the API, as it arrived."""


class SpeakerClient(Client):
    """Every method raises ServiceFailure."""

    def add(self, name: str, recordings: Sequence[Source]) -> SpeakerObject:
        """Make somebody known by files, and by URLs that the service fetches. Raises OSError for
        a file."""
        return self._send("POST", SPEAKERS, recordings, name=name)

    def learn(self, speaker_id: str, recordings: Sequence[Source]) -> SpeakerObject:
        """Know somebody by further recordings. Raises OSError for a file."""
        return self._send("PATCH", _path(speaker_id), recordings)

    def _send(
        self, method: str, path: str, recordings: Sequence[Source], **fields: str
    ) -> SpeakerObject:
        urls = [each for each in recordings if isinstance(each, str)]
        with ExitStack() as stack:
            files = [
                ("file", (file_name(each), stack.enter_context(opened(each, lambda read: None))))
                for each in recordings
                if not isinstance(each, str)
            ]
            data = {**fields, "references[]": urls}
            return self._json(method, path, data=data, files=files)

    def speakers(self) -> list[SpeakerObject]:
        """All whom the service knows, by name."""
        found: list[SpeakerObject] = self._json("GET", SPEAKERS)["data"]
        return found

    def called(self, who: str) -> SpeakerObject:
        """The one of that id, or of that name. Raises Refused where there is none, or several."""
        known = self.speakers()
        same = [each for each in known if each["id"] == who]
        same = same or [each for each in known if each["name"].casefold() == who.casefold()]
        if not same:
            raise Refused(f"Nobody is known as {who!r}; see rayscribe speakers list.")
        if len(same) > 1:
            ids = ", ".join(each["id"] for each in same)
            raise Refused(f"Several are known as {who!r}; give the id of one: {ids}.")
        return same[0]

    def rename(self, speaker_id: str, name: str) -> SpeakerObject:
        return self._json("PATCH", _path(speaker_id), json={"name": name})

    def remove(self, speaker_id: str) -> None:
        self._call("DELETE", _path(speaker_id))


def _path(speaker_id: str) -> str:
    return f"{SPEAKERS}/{quote(speaker_id, safe='')}"
