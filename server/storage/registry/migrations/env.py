"""Run by Alembic: carries the steps out on the connection that it is given."""

from alembic import context

from server.storage.registry.tables import Table

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Table.metadata,
    version_table="registry_revision",
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
