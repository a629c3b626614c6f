"""What an event changes: one column of one row, so that order and repetition do not matter."""

import json
from dataclasses import dataclass
from datetime import datetime

# The table and the column that each event sets to its time.
COLUMNS = {
    "ReservationConfirmed": ("reservation", "confirmed"),
    "ReservationCancelled": ("reservation", "cancelled"),
    "PaymentApproved": ("payment", "approved"),
    "PaymentCancelled": ("payment", "cancelled"),
}


class InvalidEvent(Exception):
    """A message that is no event of the platform."""


@dataclass(frozen=True)
class Change:
    """A column of a row that an event sets to its time, with the other columns of that row. Times are Unix seconds."""

    table: str
    columns: tuple[str, ...]
    values: tuple[int, ...]

    def statement(self, prefix: str = "") -> str:
        """The SQL that makes the change, with a parameter for each value, in the table with this prefix."""
        places = ", ".join("?" for _ in self.values)
        column = self.columns[-1]
        # The first time stays: a repeated event has the same.
        return (
            f"INSERT INTO {prefix}{self.table} ({', '.join(self.columns)}) VALUES ({places})"
            f" ON CONFLICT (id) DO UPDATE SET {column} = coalesce({column}, excluded.{column})"
        )


def seconds(time: str) -> int:
    """The Unix time of an RFC 3339 timestamp, in whole seconds."""
    return int(datetime.fromisoformat(time.replace("Z", "+00:00")).timestamp())


def change(event) -> Change | None:
    """The change that a CloudEvent makes; None for an event that changes nothing here. Raises InvalidEvent."""
    try:
        if event["type"] not in COLUMNS:
            return None
        table, column = COLUMNS[event["type"]]
        time, data = seconds(event["time"]), event["data"]
        if table == "payment":
            values = (int(data["payId"]), int(data["carId"]), int(data["amount"]), time)
            return Change(table, ("id", "car", "amount", column), values)
        return Change(table, ("id", "car", column), (int(data["rsvId"]), int(data["carId"]), time))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InvalidEvent(f"not an event of the platform: {error!r}") from error


def parse(message: bytes) -> Change | None:
    """The change that a CloudEvent in JSON makes, as `change`. Raises InvalidEvent."""
    try:
        return change(json.loads(message))
    except ValueError as error:
        raise InvalidEvent(f"not JSON: {error!r}") from error
