"""The adapters of the insight context: messages become rows, requests become reports."""

import json
import time
from urllib.parse import parse_qs, urlsplit

from componentize_py_types import Err
from spin_sdk import http, variables
from spin_sdk.http import Request, Response
from spin_sdk.wit import exports
from spin_sdk.wit.imports import spin_redis_redis_3_0_0 as redis

import database
import events
import platform_token
import rebuild
import reports

JSON = "application/json"
CSV = "text/csv"

EVENTS = "/insights/events"
# The variables of a platform with identity.
IDENTITY = ("identity_issuer", "identity_audience", "identity_keys")
RELAYED = (EVENTS, "/insights/sweep")
# The header by which the relay tells an answer about an event from one of a proxy.
OUTCOME = "socar-delivery"


class RedisHandler(exports.RedisHandler):
    """Records the events of reservations and payments."""

    async def handle_message(self, message: bytes) -> None:
        try:
            change = events.parse(message)
        except events.InvalidEvent as error:
            # The prefix says that no later delivery can succeed.
            raise Err(redis.Error_Other(f"rejected: {error}")) from error
        await record(change)


class HttpHandler(http.Handler):
    """Answers `GET /insights/utilisation` and `GET /insights/revenue`, and the steps of a rebuild."""

    async def handle_request(self, request: Request) -> Response:
        url = urlsplit(request.uri)
        if url.path.startswith(rebuild.PREFIX):
            done = await rebuild.step(request.method, url.path, request.body)
            return no_report(url.path) if done is None else answer(200, JSON, json.dumps(done))
        if url.path in RELAYED:
            return await relayed(request, url.path)
        report = REPORTS.get(url.path)
        if report is None:
            return no_report(url.path)
        if not await may_see_reports(request.headers):
            remedy = "reports are for the company: use an access token with the role host"
            return problem(403, "The user may not do this", remedy)
        if request.method not in ("GET", "HEAD"):
            return not_allowed("GET, HEAD")
        query = {name: values[-1] for name, values in parse_qs(url.query).items()}
        now = int(time.time())
        try:
            period = reports.Period.parse(query.get("from"), query.get("to"), now)
            as_csv = is_csv(query.get("format"), request.headers)
        except ValueError as error:
            return problem(400, "The query is invalid", str(error))
        read, columns = report
        with await database.connect() as connection:
            rows = await read(connection, period, now)
        if as_csv:
            return answer(200, f"{CSV}; charset=utf-8", reports.to_csv(rows, columns))
        body = {
            "from": period.first.isoformat(),
            "to": period.last.isoformat(),
            "rows": rows,
            "_links": {"self": {"href": request.uri}},
        }
        return answer(200, JSON, json.dumps(body))


async def record(change: events.Change | None) -> None:
    if change is not None:
        with await database.connect() as connection:
            await database.record(connection, change)


async def relayed(request: Request, path: str) -> Response:
    """Answers `socar relay`, which delivers events and calls sweeps on stock Spin; there is nothing to sweep."""
    keys = [line for line in (await variables.get("relay_secret")).splitlines() if line]
    if not keys:
        return no_report(path)
    if request.method != "POST":
        return not_allowed("POST")
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    is_bearer = scheme.lower() == "bearer"
    if not is_bearer or not platform_token.is_valid(token, keys, "insight", int(time.time())):
        remedy = "send a platform token for `insight`, signed with the variable relay_secret"
        refusal = problem(401, "The platform token is missing or wrong", remedy)
        refusal.headers["www-authenticate"] = "Bearer"
        return refusal
    if path == EVENTS:
        try:
            await record(events.parse(request.body or b""))
        except events.InvalidEvent as error:
            refusal = problem(422, "The event is malformed", str(error))
            refusal.headers[OUTCOME] = "rejected"
            return refusal
    return Response(204, {OUTCOME: "handled"}, None)


async def utilisation(connection, period: reports.Period, now: int) -> list[dict]:
    bookings = await database.execute(
        connection,
        "SELECT car, confirmed, cancelled FROM reservation"
        " WHERE confirmed < ? AND (cancelled IS NULL OR cancelled > ?)",
        (period.end, period.start),
    )
    return reports.utilisation(bookings, period, now)


async def revenue(connection, period: reports.Period, now: int) -> list[dict]:
    payments = await database.execute(
        connection,
        "SELECT car, amount, approved, cancelled FROM payment"
        " WHERE (approved >= ? AND approved < ?) OR (cancelled >= ? AND cancelled < ?)",
        (period.start, period.end, period.start, period.end),
    )
    return reports.revenue(payments, period)


# How each report is read, and its columns.
REPORTS = {
    "/insights/utilisation": (utilisation, ("day", "carId", "reservedSeconds", "utilisation")),
    "/insights/revenue": (revenue, ("day", "carId", "paid", "returned", "revenue")),
}


async def may_see_reports(headers) -> bool:
    """Whether the principal is the company; a platform without identity says of no request who sends it."""
    if await variables.get("identity_verifier") != "host":
        # No host says who sends the request, and this context verifies no tokens: with identity, nobody sees a report.
        settings = [await variables.get(name) for name in IDENTITY]
        return not any(settings)
    principal = headers.get("socar-principal")
    return principal is None or principal.split(" ")[0] in ("host", "operator", "platform")


def is_csv(format: str | None, headers) -> bool:
    """Whether the client wants CSV: by `format=csv`, or by a header Accept that names it and not JSON."""
    if format is not None:
        if format not in ("csv", "json"):
            raise ValueError("format must be csv or json")
        return format == "csv"
    accept = headers.get("accept", "")
    return CSV in accept and JSON not in accept


def answer(status: int, kind: str, body: str) -> Response:
    headers = {"content-type": kind, "access-control-allow-origin": "*", "vary": "accept"}
    return Response(status, headers, body.encode())


def problem(status: int, title: str, detail: str) -> Response:
    """A problem document (RFC 9457)."""
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    return answer(status, "application/problem+json", json.dumps(body))


def not_allowed(methods: str) -> Response:
    refusal = problem(405, "The method is not allowed", f"use {methods}")
    refusal.headers["allow"] = methods
    return refusal


def no_report(path: str) -> Response:
    return problem(404, "There is no such report", f"{path} is none of {', '.join(REPORTS)}")
