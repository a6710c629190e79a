"""The parts of the store as the settings say."""

from configs.secrets import Secrets
from configs.settings import JobSettings
from interchange.files.blobs import BlobStore
from serve_app.jobs.store.database import LOCK_WAIT_S, Database
from serve_app.jobs.store.leases import Leases


def configured_database(
    settings: JobSettings, secrets: Secrets, *, wait_s: float = LOCK_WAIT_S
) -> Database:
    """The configured database. Raises ServerError for an address that is none."""
    return Database(secrets.database_url or settings.database_url, wait_s=wait_s)


def configured_leases(settings: JobSettings, database: Database, blobs: BlobStore) -> Leases:
    return Leases(
        database,
        blobs,
        lease_s=settings.lease_s,
        retention_s=settings.retention_s,
        inline_bytes=settings.inline_bytes,
    )
