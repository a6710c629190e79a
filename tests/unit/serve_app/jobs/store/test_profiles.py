import asyncio
from dataclasses import replace

import pytest
import sqlalchemy as sa

from interchange.errors import Conflict, NotFound
from interchange.stages import Voice
from serve_app.jobs.store import profiles as module
from serve_app.jobs.store.database import Database
from serve_app.jobs.store.profiles import ProfileStore

ANN = Voice("Ann", ((0.1 + 0.2, -1 / 3, 1e-17), (1.0, 0.0, 0.0)), "bundled:diarization")
BO = replace(ANN, name="Bo")


@pytest.fixture
def store(database: Database) -> ProfileStore:
    return ProfileStore(database)


async def test_a_profile_keeps_a_voice_to_the_last_digit(store: ProfileStore) -> None:
    added = await store.add(ANN)
    assert added.voice == ANN
    assert (added.key, added.created_at > 0) == ("", True)
    assert await store.get(added.id) == added
    assert await store.all() == (added,)
    assert await store.made_by("") == (added,)


async def test_a_removed_profile_leaves_nothing(store: ProfileStore, database: Database) -> None:
    added = await store.add(ANN)
    await store.delete(added.id)
    count = sa.text("SELECT count(*) FROM voice_profiles")
    assert await database.read(lambda c: c.execute(count).scalar_one()) == 0
    for change in (store.get(added.id), store.delete(added.id), store.change(added.id, "Bo")):
        with pytest.raises(NotFound, match=added.id):
            await change
    assert (await store.add(ANN)).id != added.id, "the name is free again"


async def test_names_are_different_whatever_their_case(store: ProfileStore) -> None:
    ann, bo = await store.add(ANN), await store.add(BO)
    for same in ("ann", "ANN"):
        with pytest.raises(Conflict, match=f"'{same}' already"):
            await store.check(same)
        with pytest.raises(Conflict, match=f"'{same}' already"):
            await store.add(replace(ANN, name=same))
        with pytest.raises(Conflict, match=f"'{same}' already"):
            await store.change(bo.id, same)
    assert (await store.change(ann.id, "ANN")).voice.name == "ANN", "of itself it may have it"
    assert [each.voice.name for each in await store.all()] == ["ANN", "Bo"]


async def test_further_recordings_are_added_to_what_the_same_model_has_learned(
    store: ProfileStore,
) -> None:
    added = await store.add(ANN)
    more = Voice("Bo", ((0.0, 1.0, 0.0),), ANN.model)
    voice = replace(ANN, embeddings=(*ANN.embeddings, *more.embeddings))
    assert await store.change(added.id, heard=more) == replace(added, voice=voice)
    another = replace(more, model="pyannote/speaker-diarization-3.1")
    changed = await store.change(added.id, "Ann Smith", another)
    assert changed.voice == replace(another, name="Ann Smith")
    assert await store.get(added.id) == changed


async def test_one_of_many_at_once_gets_the_name(store: ProfileStore) -> None:
    answers = await asyncio.gather(*(store.add(ANN) for _ in range(5)), return_exceptions=True)
    assert sum(isinstance(each, Conflict) for each in answers) == 4
    assert len(await store.all()) == 1


async def test_a_key_has_so_many_and_no_more(
    store: ProfileStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_PROFILES", 1)
    await store.add(ANN)
    with pytest.raises(Conflict, match="at most 1; remove one"):
        await store.check("Bo")
    with pytest.raises(Conflict, match="at most 1"):
        await store.add(BO)
    await store.seen_by("phone-app", everybody=False).add(BO)


async def test_profiles_belong_to_the_key_that_made_them(store: ProfileStore) -> None:
    phone, desk = (store.seen_by(key, everybody=False) for key in ("phone", "desk"))
    mine, theirs = await phone.add(ANN), await desk.add(ANN)
    assert await phone.all() == await store.made_by("phone") == (mine,)
    assert await desk.all() == await store.made_by("desk") == (theirs,)
    for change in (phone.get(theirs.id), phone.delete(theirs.id), phone.change(theirs.id, "Bo")):
        with pytest.raises(NotFound):
            await change
    admin = store.seen_by("admin", everybody=True)
    assert {each.id for each in await admin.all()} == {mine.id, theirs.id}
    assert await store.made_by("admin") == ()
    await admin.change(mine.id, "Bo")
    await admin.delete(theirs.id)
    assert [each.voice.name for each in await store.all()] == ["Bo"]
