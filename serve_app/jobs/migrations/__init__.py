"""Alembic's migrations of the job store, applied by `serve_app.jobs.database` at start."""
