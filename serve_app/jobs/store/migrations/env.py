"""Run by Alembic, on the connection that `serve_app.jobs.store.database` hands over."""

from alembic import context

from serve_app.jobs.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=False,  # the caller's transaction holds all of it
    render_as_batch=True,
)
context.run_migrations()
