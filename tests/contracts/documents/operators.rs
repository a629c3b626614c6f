//! The schemas and parameters of the resources for operators, which the host answers itself.

use serde_json::{Value, json};

fn object(required: &[&str], properties: Value) -> Value {
    json!({ "type": "object", "required": required, "properties": properties })
}

fn count() -> Value {
    json!({ "type": "integer", "minimum": 0 })
}

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

/// The schemas, by name.
pub fn schemas() -> Vec<(&'static str, Value)> {
    let text = || json!({ "type": "string" });
    let list = |name: &str| json!({ "type": "array", "items": reference(name) });
    let states = ["closed", "open", "half-open", "forced-open", "disabled"];
    vec![
        (
            "LinkName",
            json!({
                "type": "object",
                "required": ["link"],
                "properties": { "link": { "type": "string", "examples": ["reservation -> payment"] } }
            }),
        ),
        (
            "Breaker",
            object(
                &["link", "state", "sinceMs", "window", "totals"],
                json!({
                    "link": text(),
                    "state": { "enum": states },
                    "sinceMs": count(),
                    "retryAfterMs": { "type": ["integer", "null"] },
                    "window": object(&["calls", "failed", "slow"], json!({ "calls": count(), "failed": count(), "slow": count() })),
                    "consecutiveFailures": count(),
                    "openings": count(),
                    "totals": { "type": "object", "additionalProperties": count() }
                }),
            ),
        ),
        (
            "Breakers",
            object(&["breakers"], json!({ "breakers": list("Breaker") })),
        ),
        (
            "DeadLetter",
            object(
                &[
                    "id",
                    "parked_at",
                    "group",
                    "stream",
                    "entry",
                    "attempts",
                    "error",
                    "event",
                ],
                json!({
                    "id": text(),
                    "parked_at": { "type": "integer", "description": "Milliseconds since the Unix epoch" },
                    "group": text(),
                    "stream": text(),
                    "entry": text(),
                    "attempts": count(),
                    "error": text(),
                    "event": { "type": "string", "description": "The CloudEvent, as JSON" }
                }),
            ),
        ),
        (
            "DeadLetters",
            object(
                &["letters", "next"],
                json!({
                    "letters": list("DeadLetter"),
                    "next": { "type": ["string", "null"], "description": "The next page, as a path of the admin port" }
                }),
            ),
        ),
        (
            "Instances",
            object(
                &["generation", "components"],
                json!({
                    "generation": count(),
                    "components": {
                        "type": "object",
                        "additionalProperties": object(
                            &["alive", "busy", "max"],
                            json!({ "alive": count(), "busy": count(), "max": count() })
                        )
                    }
                }),
            ),
        ),
        (
            "Rebuild",
            object(
                &["state"],
                json!({ "state": { "enum": ["running", "done", "failed"] }, "events": count(), "asked": count(), "error": text() }),
            ),
        ),
        (
            "AcceptedStore",
            object(&["store"], json!({ "store": text() })),
        ),
        (
            "Fault",
            object(
                &["to", "fault", "seconds"],
                json!({
                    "to": text(),
                    "from": text(),
                    "fault": { "enum": ["latency", "error", "trap", "spin", "hoard", "drop"] },
                    "latency_ms": count(),
                    "rate": { "type": "number", "exclusiveMinimum": 0, "maximum": 1 },
                    "seconds": { "type": "integer", "minimum": 1, "maximum": 3600 }
                }),
            ),
        ),
        (
            "Faults",
            object(
                &["experiments"],
                json!({ "experiments": { "type": "array", "items": reference("ActiveFault") } }),
            ),
        ),
        (
            "ActiveFault",
            json!({
                "allOf": [reference("Fault")],
                "required": ["id", "remaining_ms"],
                "properties": {
                    "id": count(),
                    "remaining_ms": {
                        "type": "integer",
                        "minimum": 0,
                        "description": "Milliseconds until the fault injection ends by itself"
                    }
                }
            }),
        ),
        (
            "OperatorResult",
            json!({ "type": "object", "description": "What was done" }),
        ),
        (
            "Metrics",
            json!({ "type": "string", "description": "The text format of Prometheus" }),
        ),
    ]
}

/// The parameters, by name.
pub fn parameters() -> Vec<(&'static str, Value)> {
    let parameter = |name: &str, place: &str, schema: Value| json!({ "name": name, "in": place, "required": place == "path", "schema": schema });
    vec![
        ("id", parameter("id", "path", json!({ "type": "string" }))),
        (
            "component",
            parameter(
                "component",
                "path",
                json!({ "type": "string", "examples": ["viewpage"] }),
            ),
        ),
        (
            "label",
            parameter(
                "label",
                "path",
                json!({ "type": "string", "examples": ["car"] }),
            ),
        ),
        (
            "limit",
            parameter(
                "limit",
                "query",
                json!({ "type": "integer", "minimum": 1, "maximum": 1000, "default": 100 }),
            ),
        ),
        (
            "after",
            parameter("after", "query", json!({ "type": "string" })),
        ),
    ]
}
