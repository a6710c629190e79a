"""Alembic's migrations of the job store, applied by `serve_app.jobs.store.database` at start."""
