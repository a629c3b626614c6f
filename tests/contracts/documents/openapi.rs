//! OpenAPI 3.1.

use serde_json::{Map, Value, json};

use super::operations::{self, Operation, problems_of};
use super::operators;
use super::schemas::{page, resources, summary, text, with_links};

const DESCRIPTION: &str = "Cars, reservations, payments and messages, and a view of the fleet. Resources are JSON in the \
    form of Spring Data REST (HAL); errors are problem documents (RFC 9457) with a stable type.";

pub fn document() -> Value {
    let mut paths = Map::new();
    for operation in operations::all() {
        let path = paths.entry(operation.path).or_insert_with(|| json!({}));
        path[operation.method] = described(operation);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "SOCAR",
            "version": env!("CARGO_PKG_VERSION"),
            "description": DESCRIPTION,
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" }
        },
        "servers": [{ "url": "/" }],
        "paths": paths,
        "components": {
            "schemas": schemas(),
            "parameters": parameters(),
            "headers": headers(),
            "securitySchemes": { "accessToken": {
                "type": "http",
                "scheme": "bearer",
                "bearerFormat": "JWT (RFC 9068)",
                "description": "An open platform wants none."
            } }
        }
    })
}

fn described(operation: &Operation) -> Value {
    let mut described = json!({
        "operationId": operation.id,
        "summary": operation.summary,
        "tags": [operation.path.split('/').nth(1).unwrap_or_default()],
    });
    if !operation.parameters.is_empty() {
        let reference = |name: &&str| json!({ "$ref": format!("#/components/parameters/{name}") });
        described["parameters"] = operation.parameters.iter().map(reference).collect();
    }
    if let Some(body) = operation.body {
        let mut content = json!({ "application/json": content(body) });
        if operation.method == "patch" {
            content["application/merge-patch+json"] = self::content(body);
        }
        described["requestBody"] = json!({ "required": true, "content": content });
    }
    if operation.needs_identity() {
        described["security"] = json!([{ "accessToken": [] }, {}]);
    }
    described["responses"] = responses(operation);
    described
}

fn responses(operation: &Operation) -> Value {
    let success = &operation.success;
    let mut response = json!({ "description": "Success" });
    if let Some(schema) = success.schema {
        response["content"] = json!({ success.media_type: content(schema) });
    }
    for header in success.headers {
        response["headers"][header] = json!({ "$ref": format!("#/components/headers/{header}") });
    }
    let mut responses = json!({ success.status.to_string(): response });
    if operation.parameters.contains(&"If-None-Match") {
        responses["304"] = json!({
            "description": "The client has the current version",
            "headers": { "ETag": { "$ref": "#/components/headers/ETag" } }
        });
    }
    for (status, slugs) in problems_of(operation) {
        responses[status.to_string()] = problem(status, &slugs);
    }
    responses
}

fn problem(status: u16, slugs: &[&str]) -> Value {
    let types: Vec<String> = slugs
        .iter()
        .map(|slug| format!("https://socar.dev/problems/{slug}"))
        .collect();
    let mut response = json!({
        "description": slugs.join(", "),
        "content": { "application/problem+json": {
            "schema": { "$ref": "#/components/schemas/Problem" },
            "example": { "type": types[0], "title": slugs[0].replace('-', " "), "status": status }
        } }
    });
    if [429, 503].contains(&status) {
        response["headers"] =
            json!({ "Retry-After": { "$ref": "#/components/headers/Retry-After" } });
    }
    if status == 401 {
        response["headers"] =
            json!({ "WWW-Authenticate": { "$ref": "#/components/headers/WWW-Authenticate" } });
    }
    response
}

/// The content with this schema, with an example where there is one.
fn content(schema: &str) -> Value {
    let mut content = json!({ "schema": { "$ref": format!("#/components/schemas/{schema}") } });
    if let Some(example) = example(schema) {
        content["example"] = example;
    }
    content
}

fn example(schema: &str) -> Option<Value> {
    let link = |path: &str| json!({ "self": { "href": format!("http://localhost:3000{path}") } });
    Some(match schema {
        "CarRegistration" => {
            json!({ "carName": "Mercedes-Benz", "carType": "sedan", "amount": 50000 })
        }
        "CarChange" => json!({ "amount": 60000 }),
        "ReservationRequest" => json!({ "carId": 1 }),
        "CancellationRequest" => json!({ "status": "reqCancel" }),
        "SignIn" => json!({ "role": "customer", "subject": "alice" }),
        "Grant" => json!({ "grant_type": "refresh_token", "refresh_token": "8xLOxBtZp8" }),
        "Identity" => json!({ "mode": "open" }),
        "Car" => {
            json!({ "carId": 1, "carName": "Mercedes-Benz", "carType": "sedan", "amount": 50000, "status": "available", "_links": link("/cars/1") })
        }
        "Reservation" => {
            json!({ "rsvId": 1, "carId": 1, "payId": 1, "status": "reserved", "_links": link("/reservations/1") })
        }
        "Payment" => {
            json!({ "payId": 1, "rsvId": 1, "carId": 1, "amount": 50000, "status": "paid", "_links": link("/payments/1") })
        }
        "Message" => {
            json!({ "msgId": 1, "carId": 1, "rsvId": 1, "kind": "reservation-confirmed", "parameters": { "carId": 1, "rsvId": 1 }, "content": "예약이 완료 되었습니다. 차량번호 : 1", "sentAt": "2026-11-29T09:47:22.000Z", "_links": link("/messages/1") })
        }
        "CarView" => {
            json!({ "carId": 1, "carName": "Mercedes-Benz", "carType": "sedan", "amount": 50000, "carStatus": "reserved", "rsvId": 1, "rsvStatus": "reserved", "payId": 1, "payStatus": "paid", "_links": link("/carviews/1") })
        }
        _ => return None,
    })
}

fn schemas() -> Value {
    let mut schemas = json!({});
    for (name, resource) in resources() {
        schemas[name] = with_links(resource);
    }
    for (name, plural, resource) in [
        ("CarPage", "cars", "Car"),
        ("ReservationPage", "reservations", "Reservation"),
        ("PaymentPage", "payments", "Payment"),
        ("MessagePage", "messages", "Message"),
        ("CarViewPage", "carviews", "CarView"),
    ] {
        schemas[name] = page(plural, resource);
    }
    let mut found = with_links(resources().pop().map(|(_, view)| view).unwrap_or_default());
    found["properties"]["_embedded"] =
        page("carviews", "CarView")["properties"]["_embedded"].clone();
    schemas["FoundCarView"] = found;
    schemas["FleetSummary"] = summary();
    let name = || text(1, "The name of the car, in NFC");
    let kind = || text(0, "The type of the car, in NFC");
    let amount = json!({ "type": "integer", "minimum": 0, "maximum": car::domain::MAX_AMOUNT, "description": "The price of one reservation, in won" });
    schemas["CarRegistration"] = json!({
        "type": "object",
        "required": ["carName"],
        "properties": { "carName": name(), "carType": nullable(kind()), "amount": nullable(amount.clone()) },
        "additionalProperties": false
    });
    schemas["CarChange"] = json!({
        "type": "object",
        "properties": { "carName": name(), "carType": nullable(kind()), "amount": nullable(amount) },
        "additionalProperties": false
    });
    schemas["ReservationRequest"] = json!({
        "type": "object",
        "required": ["carId"],
        "properties": {
            "carId": { "type": "integer", "minimum": 1, "maximum": MAX_ID },
            "status": { "const": "reqReserve" }
        },
        "additionalProperties": false
    });
    schemas["CancellationRequest"] = json!({
        "type": "object",
        "required": ["status"],
        "properties": { "status": { "const": "reqCancel" } },
        "additionalProperties": false
    });
    schemas["Timeline"] = json!({
        "type": "object",
        "required": ["rsvId", "status", "steps", "_links"],
        "properties": {
            "rsvId": { "type": "integer", "minimum": 1 },
            "status": { "type": "string" },
            "steps": { "type": "array", "items": {
                "type": "object",
                "required": ["status", "at", "cause"],
                "properties": {
                    "status": { "type": "string" },
                    "at": { "type": "string", "format": "date-time" },
                    "cause": { "type": ["string", "null"] }
                }
            } },
            "_links": { "$ref": "#/components/schemas/Links" }
        }
    });
    schemas["Link"] = json!({
        "type": "object",
        "required": ["href"],
        "properties": { "href": { "type": "string" }, "templated": { "type": "boolean" } }
    });
    schemas["Links"] = json!({
        "type": "object",
        "additionalProperties": { "$ref": "#/components/schemas/Link" }
    });
    schemas["Linked"] = json!({
        "type": "object",
        "required": ["_links"],
        "properties": { "_links": { "$ref": "#/components/schemas/Links" } }
    });
    schemas["Page"] = json!({
        "type": "object",
        "required": ["size", "totalElements", "totalPages", "number"],
        "properties": {
            "size": { "type": "integer", "minimum": 1, "maximum": 1000 },
            "totalElements": { "type": "integer", "minimum": 0 },
            "totalPages": { "type": "integer", "minimum": 0 },
            "number": { "type": "integer", "minimum": 0 }
        }
    });
    schemas["Problem"] = json!({
        "type": "object",
        "required": ["type", "title", "status"],
        "properties": {
            "type": { "type": "string", "format": "uri" },
            "title": { "type": "string" },
            "status": { "type": "integer" },
            "detail": { "type": "string" },
            "instance": { "type": "string" },
            "field": { "type": "string" },
            "errors": { "type": "array", "items": {
                "type": "object",
                "required": ["field", "message"],
                "properties": { "field": { "type": "string" }, "message": { "type": "string" } }
            } }
        }
    });
    schemas["Identity"] = json!({
        "type": "object",
        "required": ["mode"],
        "properties": {
            "mode": { "enum": ["open", "local", "issuer"] },
            "issuer": { "type": "string", "format": "uri", "description": "The OpenID provider, for `issuer`" },
            "clientId": { "type": "string", "description": "How the provider calls the page, if that is configured" }
        }
    });
    schemas["SignIn"] = json!({
        "type": "object",
        "required": ["role", "subject"],
        "properties": {
            "role": { "enum": ["customer", "host", "operator"] },
            "subject": { "type": "string", "pattern": "^[!-~]+$", "minLength": 1, "maxLength": 255 }
        },
        "additionalProperties": false
    });
    schemas["AccessToken"] = json!({
        "type": "object",
        "required": ["access_token", "token_type", "expires_in"],
        "properties": {
            "access_token": { "type": "string" },
            "token_type": { "const": "Bearer" },
            "expires_in": { "type": "integer", "description": "In seconds" }
        }
    });
    let given = || json!({ "type": "string", "minLength": 1 });
    schemas["Grant"] = json!({ "oneOf": [
        {
            "type": "object",
            "required": ["grant_type", "code", "code_verifier", "redirect_uri"],
            "properties": {
                "grant_type": { "const": "authorization_code" },
                "code": given(),
                "code_verifier": given(),
                "redirect_uri": given()
            },
            "additionalProperties": false
        },
        {
            "type": "object",
            "required": ["grant_type", "refresh_token"],
            "properties": { "grant_type": { "const": "refresh_token" }, "refresh_token": given() },
            "additionalProperties": false
        }
    ] });
    schemas["GrantedTokens"] = json!({
        "type": "object",
        "required": ["access_token", "token_type"],
        "properties": {
            "access_token": { "type": "string" },
            "token_type": { "type": "string" },
            "expires_in": { "type": "integer", "description": "In seconds" },
            "refresh_token": { "type": "string" },
            "id_token": { "type": "string", "description": "With the nonce of the request" }
        }
    });
    for (name, schema) in operators::schemas() {
        schemas[name] = schema;
    }
    schemas["Document"] = json!({ "type": "object" });
    schemas["EventStream"] =
        json!({ "type": "string", "description": "Messages as /asyncapi.json describes them" });
    schemas
}

/// The value, or null, which unsets it.
fn nullable(mut schema: Value) -> Value {
    schema["type"] = json!([schema["type"].take(), "null"]);
    schema
}

/// The greatest number that every JSON reader represents exactly.
const MAX_ID: u64 = (1 << 53) - 1;

fn parameters() -> Value {
    let id = |name: &str| {
        parameter(
            name,
            "path",
            true,
            json!({ "type": "integer", "minimum": 1, "maximum": MAX_ID }),
        )
    };
    let number = |name: &str, required| {
        parameter(
            name,
            "query",
            required,
            json!({ "type": "integer", "minimum": 1, "maximum": MAX_ID }),
        )
    };
    let filter = |name: &str, minimum: u64| {
        let schema = json!({ "type": "integer", "minimum": minimum, "maximum": i64::MAX });
        parameter(name, "query", false, schema)
    };
    let any = |name: &str| parameter(name, "query", false, json!({ "type": "string" }));
    let header = |name: &str, examples: &[&str]| {
        let schema = json!({ "type": "string", "examples": examples });
        parameter(name, "header", false, schema)
    };
    let mut parameters = json!({
        "carId": id("carId"),
        "rsvId": id("rsvId"),
        "payId": id("payId"),
        "msgId": id("msgId"),
        "page": parameter("page", "query", false, json!({ "type": "integer", "minimum": 0, "maximum": u64::MAX, "default": 0 })),
        "size": parameter("size", "query", false, json!({ "type": "integer", "minimum": 1, "maximum": 1000, "default": 20 })),
        "sortCars": sort(&["carId", "carName", "carType", "amount"]),
        "sortReservations": sort(&["rsvId", "carId", "payId", "status"]),
        "sortPayments": sort(&["payId", "rsvId", "carId", "amount", "status"]),
        "sortMessages": sort(&["msgId", "carId", "rsvId", "content", "sentAt"]),
        "sortCarViews": sort(&viewpage::column::Column::NAMES),
        "carIdOfReservations": parameter("carId", "query", false, json!({ "type": "integer", "minimum": 0, "maximum": u64::MAX })),
        "q": {
            "name": "q", "in": "query", "required": false,
            "description": "A part of the name, the type or the number of a car",
            "schema": { "type": "string", "examples": ["ev6"] }
        },
        "carIdFilter": filter("carId", 1),
        "rsvIdFilter": filter("rsvId", 1),
        "payIdFilter": filter("payId", 1),
        "rsvIdQuery": number("rsvId", true),
        "payIdQuery": number("payId", true),
        "carName": any("carName"),
        "carType": any("carType"),
        "amount": filter("amount", 0),
        "carStatus": any("carStatus"),
        "rsvStatus": any("rsvStatus"),
        "payStatus": any("payStatus"),
        "If-Match": header("If-Match", &["*", "\"1\""]),
        "If-None-Match": header("If-None-Match", &["\"1\""]),
        "Idempotency-Key": header("Idempotency-Key", &["\"8e03978e-40d5-43dd\""]),
        "Accept-Language": header("Accept-Language", &["en", "ko-KR, en;q=0.5"]),
        "Last-Event-ID": header("Last-Event-ID", &["4be2c81f0a37.1798450042113-0.0-0.0-0"])
    });
    for name in [
        "redirect_uri",
        "state",
        "nonce",
        "code_challenge",
        "post_logout_redirect_uri",
    ] {
        let schema = json!({ "type": "string", "minLength": 1, "maxLength": 512 });
        parameters[name] = parameter(name, "query", true, schema);
    }
    for (name, parameter) in operators::parameters() {
        parameters[name] = parameter;
    }
    parameters
}

/// The order of a list: one of these columns. Several, separated by commas, are accepted too.
fn sort(columns: &[&str]) -> Value {
    let orders = columns
        .iter()
        .flat_map(|column| ["", ",asc", ",desc"].map(|direction| format!("{column}{direction}")));
    let orders: Vec<String> = orders.collect();
    parameter(
        "sort",
        "query",
        false,
        json!({ "type": "string", "enum": orders }),
    )
}

fn parameter(name: &str, place: &str, required: bool, schema: Value) -> Value {
    json!({ "name": name, "in": place, "required": required, "schema": schema })
}

fn headers() -> Value {
    json!({
        "ETag": { "required": true, "schema": { "type": "string" }, "description": "The version of the resource, or a fingerprint of a page" },
        "Location": { "required": true, "schema": { "type": "string" }, "description": "The new resource, or the address that follows" },
        "Content-Language": { "required": true, "schema": { "enum": ["ko", "en"] }, "description": "The language of the text" },
        "Vary": { "required": true, "schema": { "type": "string" }, "description": "The request headers that choose the answer" },
        "WWW-Authenticate": { "required": true, "schema": { "type": "string" }, "description": "The challenge (RFC 6750)" },
        "Retry-After": { "schema": { "type": "integer", "minimum": 1 }, "description": "Seconds until another attempt makes sense" }
    })
}
