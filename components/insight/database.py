"""The database of the context, through the SDK."""

from spin_sdk import util
from spin_sdk.sqlite import Connection, Value_Integer

import schema
from events import Change

LABEL = "insight"

# Whether this instance has seen the tables.
has_tables = False


async def connect() -> Connection:
    """A connection to the database, with its tables."""
    global has_tables
    connection = await Connection.open(LABEL)
    if not has_tables:
        for statement in schema.CREATE:
            await execute(connection, statement)
        has_tables = True
    return connection


async def execute(connection: Connection, sql: str, parameters=()) -> list[tuple]:
    """The rows that a statement returns; every column is an integer or NULL."""
    values = [Value_Integer(parameter) for parameter in parameters]
    _, stream, result = await connection.execute(sql, values)
    rows = await util.collect((stream, result))
    return [tuple(getattr(value, "value", None) for value in row.values) for row in rows]


async def transaction(connection: Connection, statements) -> None:
    """Executes all of these pairs of SQL and parameters, or none."""
    await execute(connection, "BEGIN IMMEDIATE")
    try:
        for sql, parameters in statements:
            await execute(connection, sql, parameters)
        await execute(connection, "COMMIT")
    except BaseException:
        await execute(connection, "ROLLBACK")
        raise


async def record(connection: Connection, change: Change) -> None:
    """Makes a change, also in the tables of a rebuild."""
    statements = [(change.statement(), change.values)]
    [(rebuilds,)] = await execute(connection, schema.COUNT_NEW)
    if rebuilds:
        statements.append((change.statement(schema.NEW), change.values))
    await transaction(connection, statements)
