"""Run by `python3 -m unittest discover components/insight/tests`, without the SDK."""

import json
import sqlite3
import sys
import unittest
from itertools import permutations
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
GOLDEN = Path(__file__).parents[3] / "tests/contracts/golden"

import events  # noqa: E402
import platform_token  # noqa: E402
import reports  # noqa: E402
import schema  # noqa: E402

NOON = events.seconds("2026-11-29T12:00:00Z")
HOUR = 3600


def message(kind: str, time: str) -> bytes:
    """The event of the contract test's golden file, at another time."""
    event = json.loads((GOLDEN / f"{kind}.json").read_text())
    event["time"] = time
    return json.dumps(event).encode()


def database() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:")
    for statement in schema.CREATE:
        connection.execute(statement)
    return connection


class Events(unittest.TestCase):
    def test_order_and_repetition_do_not_matter(self):
        messages = [
            message("ReservationConfirmed", "2026-11-29T01:00:00.5Z"),
            message("ReservationCancelled", "2026-11-29T04:00:00Z"),
            message("PaymentApproved", "2026-11-29T01:00:00Z"),
            message("PaymentCancelled", "2026-11-29T04:00:00Z"),
            message("PaymentApproved", "2026-11-29T01:00:00Z"),
        ]
        found = set()
        for order in permutations(messages):
            connection = database()
            for event in order:
                change = events.parse(event)
                connection.execute(change.statement(), change.values)
            rows = connection.execute("SELECT * FROM reservation").fetchall()
            rows += connection.execute("SELECT * FROM payment").fetchall()
            found.add(tuple(rows))
        midnight = events.seconds("2026-11-29T00:00:00Z")
        one, four = midnight + HOUR, midnight + 4 * HOUR
        self.assertEqual(found, {((1, 1, one, four), (1, 1, 60000, one, four))})

    def test_other_events_change_nothing(self):
        self.assertIsNone(events.parse(message("CarRegistered", "2026-11-29T01:00:00Z")))

    def test_what_is_no_event_is_refused(self):
        for garbage in [b"", b"{}", b"[]", b"\xff", b'{"type":"PaymentApproved","time":"now","data":{}}']:
            with self.assertRaises(events.InvalidEvent):
                events.parse(garbage)


class Rebuild(unittest.TestCase):
    def test_the_new_tables_replace_the_old_ones(self):
        connection = database()
        old = events.parse(message("PaymentApproved", "2026-11-28T01:00:00Z"))
        new = events.parse(message("PaymentApproved", "2026-11-29T01:00:00Z"))
        connection.execute(old.statement(), old.values)
        for _ in range(2):
            for statement in schema.BEGIN:
                connection.execute(statement)
        self.assertEqual(connection.execute(schema.COUNT_NEW).fetchall(), [(1,)])
        connection.execute(new.statement(schema.NEW), new.values)
        for statement in schema.FINISH:
            connection.execute(statement)
        self.assertEqual(connection.execute(schema.COUNT_NEW).fetchall(), [(0,)])
        self.assertEqual(connection.execute("SELECT approved FROM payment").fetchall(), [(new.values[-1],)])


class PlatformTokens(unittest.TestCase):
    # The same token as in components/platform-token/src/tests.rs.
    KEY = "correct horse battery staple"
    NOW = 1_764_400_000
    TOKEN = (
        "eyJhbGciOiJIUzI1NiIsInR5cCI6InBsYXRmb3JtK2p3dCJ9"
        ".eyJpc3MiOiJ1cm46c29jYXI6cGxhdGZvcm0iLCJhdWQiOiJjYXIiLCJleHAiOjE3NjQ0MDAwNjB9"
        ".weIBwDP5TMgKMDX7tygSaa-0BOqIm9Zu3BrXDI-q6OU"
    )

    def test_a_token_is_for_one_context_and_one_minute(self):
        def valid(token=self.TOKEN, keys=(self.KEY,), audience="car", now=self.NOW):
            return platform_token.is_valid(token, list(keys), audience, now)

        self.assertTrue(valid())
        self.assertTrue(valid(keys=("new", self.KEY)))
        self.assertTrue(valid(now=self.NOW + 120))
        self.assertFalse(valid(now=self.NOW + 121))
        self.assertFalse(valid(now=self.NOW - 61))
        self.assertFalse(valid(audience="insight"))
        self.assertFalse(valid(keys=("new",)))
        header, claims, signature = self.TOKEN.split(".")
        for other in [self.KEY, "", "..", "a.b", f"{header}.{claims}.", f"{claims}.{header}.{signature}", "\u00e9.b.c"]:
            self.assertFalse(valid(other), other)


class Reports(unittest.TestCase):
    def test_a_booking_is_divided_among_its_days(self):
        period = reports.Period.parse("2026-11-27", "2026-11-29", NOON)
        bookings = [(1, NOON - 36 * HOUR, None), (2, NOON - HOUR, NOON - HOUR // 2)]
        self.assertEqual(
            [(row["day"], row["carId"], row["utilisation"]) for row in reports.utilisation(bookings, period, NOON)],
            [("2026-11-28", 1, 1.0), ("2026-11-29", 1, 1.0), ("2026-11-29", 2, 0.0417)],
        )

    def test_a_return_counts_on_its_own_day(self):
        period = reports.Period.parse("2026-11-28", "2026-11-29", NOON)
        payments = [(1, 50000, NOON - 24 * HOUR, NOON), (1, 20000, NOON, None), (1, 9, NOON - 48 * HOUR, None)]
        self.assertEqual(
            [(row["day"], row["paid"], row["returned"], row["revenue"]) for row in reports.revenue(payments, period)],
            [("2026-11-28", 50000, 0, 50000), ("2026-11-29", 20000, 50000, -30000)],
        )

    def test_a_period_is_checked(self):
        period = reports.Period.parse(None, None, NOON)
        self.assertEqual((str(period.first), str(period.last)), ("2026-11-23", "2026-11-29"))
        for first, last in [("today", None), ("2026-11-30", "2026-11-29"), ("2020-01-01", "2026-11-29")]:
            with self.assertRaises(reports.InvalidPeriod):
                reports.Period.parse(first, last, NOON)

    def test_csv_has_a_header(self):
        self.assertEqual(reports.to_csv([{"a": 1, "b": 2}], ("a", "b")), "a,b\r\n1,2\r\n")


if __name__ == "__main__":
    unittest.main()
