"""Voice profiles in the store: embeddings under names, and nothing else of the recordings."""

import uuid
from dataclasses import replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy import exc

from interchange.errors import Conflict, NotFound
from interchange.stages import Voice
from serve_app.jobs.store.codec import EMBEDDINGS
from serve_app.jobs.store.database import Database
from serve_app.jobs.store.tables import voice_profiles as profiles
from serve_app.profiles import VoiceProfile

MOST_PROFILES = 200
"""Of a key: the more voices are compared, the more strangers are like one of them."""


class ProfileStore:
    """`key` names the key whose profiles are made, seen and changed here; with `everybody` those
    of all keys are seen and changed.

    Names are a key's own, whatever their case. Every method raises StoreUnavailable where the
    database cannot be used.
    """

    def __init__(self, database: Database, key: str = "", *, everybody: bool = True) -> None:
        self._database = database
        self._key = key
        self._seen = sa.true() if everybody else profiles.c.key_name == key

    def seen_by(self, key: str, *, everybody: bool) -> "ProfileStore":
        return ProfileStore(self._database, key, everybody=everybody)

    async def check(self, name: str) -> None:
        """Raises Conflict where no profile of that name can be added."""
        await self._database.read(lambda c: self._check(c, name))

    async def add(self, voice: Voice) -> VoiceProfile:
        """Raises Conflict for a name that there is already, and for one profile too many."""
        enter = (
            profiles.insert()
            .values(
                id=str(uuid.uuid4()),
                key_name=self._key,
                created_at=self._database.now(),
                **_columns(voice),
            )
            .returning(*profiles.c)
        )

        def add(connection: sa.Connection) -> VoiceProfile:
            self._check(connection, voice.name)
            return _profile_of(connection.execute(enter).one())

        try:
            return await self._database.write(add)
        except exc.IntegrityError as error:  # another request was faster
            raise _taken(voice.name) from error

    async def all(self) -> tuple[VoiceProfile, ...]:
        """By name."""
        return await self._where(self._seen)

    async def made_by(self, key: str) -> tuple[VoiceProfile, ...]:
        """Those of the key of that name, by name."""
        return await self._where(profiles.c.key_name == key)

    async def get(self, profile_id: str) -> VoiceProfile:
        """Raises NotFound."""
        found = await self._where(self._seen & (profiles.c.id == profile_id))
        if not found:
            raise _unknown(profile_id)
        return found[0]

    async def change(
        self, profile_id: str, name: str | None = None, heard: Voice | None = None
    ) -> VoiceProfile:
        """Give it another name, and add what was `heard` of the same person: that replaces what
        another model has learned.

        Raises NotFound, and Conflict where its key has another profile of that name.
        """
        which = self._seen & (profiles.c.id == profile_id)

        def change(connection: sa.Connection) -> VoiceProfile:
            found = sa.select(profiles).where(which).with_for_update()
            if (row := connection.execute(found).first()) is None:
                raise _unknown(profile_id)
            voice = _profile_of(row).voice
            called = name or voice.name
            if heard is not None:
                known = voice.embeddings if voice.model == heard.model else ()
                voice = replace(heard, embeddings=(*known, *heard.embeddings))
            columns = _columns(replace(voice, name=called))
            changed = profiles.update().where(which).values(**columns)
            return _profile_of(connection.execute(changed.returning(*profiles.c)).one())

        try:
            return await self._database.write(change)
        except exc.IntegrityError as error:
            raise _taken(name or "") from error

    async def delete(self, profile_id: str) -> None:
        """Raises NotFound."""
        remove = profiles.delete().where(profiles.c.id == profile_id, self._seen)
        if not await self._database.write(lambda c: c.execute(remove).rowcount):
            raise _unknown(profile_id)

    async def _where(self, which: sa.ColumnElement[bool]) -> tuple[VoiceProfile, ...]:
        some = sa.select(profiles).where(which).order_by(profiles.c.folded_name, profiles.c.id)
        rows = await self._database.read(lambda c: c.execute(some).all())
        return tuple(map(_profile_of, rows))

    def _check(self, connection: sa.Connection, name: str) -> None:
        mine = sa.select(profiles.c.folded_name).where(profiles.c.key_name == self._key)
        names = set(connection.execute(mine).scalars())
        if name.casefold() in names:
            raise _taken(name)
        if len(names) >= MOST_PROFILES:
            raise Conflict(
                f"There are {len(names)} voice profiles, and a key has at most {MOST_PROFILES}; "
                "remove one first."
            )


def _columns(voice: Voice) -> dict[str, str]:
    return {
        "name": voice.name,
        "folded_name": voice.name.casefold(),
        "model": voice.model,
        "embeddings": EMBEDDINGS.dump(voice.embeddings),
    }


def _profile_of(row: sa.Row[Any]) -> VoiceProfile:
    voice = Voice(row.name, EMBEDDINGS.load(row.embeddings), row.model)
    return VoiceProfile(row.id, row.key_name, voice, row.created_at)


def _taken(name: str) -> Conflict:
    return Conflict(
        f"There is a voice profile called {name!r} already; choose another name, or remove it."
    )


def _unknown(profile_id: str) -> NotFound:
    return NotFound(
        f"There is no voice profile {profile_id!r}; GET /v1/speakers lists those there are."
    )
