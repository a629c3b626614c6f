"""The steps of a rebuild, as the host orders them below /internal/rebuild (docs/src/operations.md)."""

import json

import database
import events
import schema

PREFIX = "/internal/rebuild"


async def step(method: str, path: str, body: bytes | None) -> dict | None:
    """Performs a step; None when there is no such step. Raises InvalidEvent for a list that is none of events."""
    with await database.connect() as connection:
        match method, path.removeprefix(PREFIX):
            case "POST", "":
                await database.transaction(connection, [(sql, ()) for sql in schema.BEGIN])
            case "POST", "/events":
                changes = [events.change(event) for event in json.loads(body or b"[]")]
                statements = [(it.statement(schema.NEW), it.values) for it in changes if it]
                await database.transaction(connection, statements)
            case "POST", "/finish":
                await database.transaction(connection, [(sql, ()) for sql in schema.FINISH])
            case "DELETE", "":
                await database.transaction(connection, [(sql, ()) for sql in schema.ABORT])
            case "POST", "/state" | "/tidy":
                # Every row comes from events, and nothing of the old state stays.
                pass
            case _:
                return None
    return {}
