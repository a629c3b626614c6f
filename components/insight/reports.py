"""The reports: utilisation and revenue of each car on each day. Days are those of UTC."""

import csv
import io
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone

DAY = 86_400
DEFAULT_DAYS = 7
MAX_DAYS = 366


class InvalidPeriod(ValueError):
    """A period that no report covers."""


@dataclass(frozen=True)
class Period:
    """The days from `first` to `last`, both included."""

    first: date
    last: date

    @classmethod
    def parse(cls, first: str | None, last: str | None, now: int) -> "Period":
        """The period of two ISO dates; by default the seven days up to today. Raises InvalidPeriod."""
        today = datetime.fromtimestamp(now, timezone.utc).date()
        try:
            end = date.fromisoformat(last) if last else today
            start = date.fromisoformat(first) if first else end - timedelta(days=DEFAULT_DAYS - 1)
        except (ValueError, OverflowError) as error:
            raise InvalidPeriod("from and to must be dates such as 2026-11-30") from error
        if start > end:
            raise InvalidPeriod("from must not be after to")
        if (end - start).days >= MAX_DAYS:
            raise InvalidPeriod(f"a report covers at most {MAX_DAYS} days")
        return cls(start, end)

    @property
    def start(self) -> int:
        """The Unix time of its begin, in seconds."""
        return midnight(self.first)

    @property
    def end(self) -> int:
        """The Unix time of its end, in seconds."""
        return midnight(self.last) + DAY

    def days(self):
        """Its days with the Unix time of their begin."""
        for number in range((self.last - self.first).days + 1):
            day = self.first + timedelta(days=number)
            yield day, midnight(day)


def midnight(day: date) -> int:
    """The Unix time of the begin of a day, in seconds."""
    return int(datetime(day.year, day.month, day.day, tzinfo=timezone.utc).timestamp())


def utilisation(bookings, period: Period, now: int) -> list[dict]:
    """The seconds of each day for which each car was reserved, and their share of the part of the day that has passed.

    `bookings` are rows of car, begin and end in Unix seconds; an end of None has not come yet.
    """
    reserved: dict[tuple[date, int], int] = {}
    for car, begin, end in bookings:
        end = now if end is None else end
        for day, start in period.days():
            overlap = min(end, start + DAY, now) - max(begin, start)
            if overlap > 0:
                reserved[day, car] = reserved.get((day, car), 0) + overlap
    rows = []
    for (day, car), length in sorted(reserved.items()):
        passed = min(DAY, now - midnight(day))
        rows.append(
            {
                "day": day.isoformat(),
                "carId": car,
                "reservedSeconds": length,
                "utilisation": round(min(1.0, length / passed), 4),
            }
        )
    return rows


def revenue(payments, period: Period) -> list[dict]:
    """What was paid and returned for each car on each day, in won.

    `payments` are rows of car, amount, and the Unix times of approval and cancellation, None if there was none.
    """
    amounts: dict[tuple[date, int], list[int]] = {}
    for car, amount, approved, cancelled in payments:
        for column, moment in enumerate((approved, cancelled)):
            if moment is not None and period.start <= moment < period.end:
                day = datetime.fromtimestamp(moment, timezone.utc).date()
                amounts.setdefault((day, car), [0, 0])[column] += amount
    return [
        {
            "day": day.isoformat(),
            "carId": car,
            "paid": paid,
            "returned": returned,
            "revenue": paid - returned,
        }
        for (day, car), (paid, returned) in sorted(amounts.items())
    ]


def to_csv(rows: list[dict], columns: tuple[str, ...]) -> str:
    """The rows as CSV after RFC 4180, with a header."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
