//! The operations of the API: what each takes and what it answers.

mod contexts;
mod host;
mod operators;

use std::collections::BTreeMap;

/// One method of one path.
pub struct Operation {
    pub method: &'static str,
    pub path: &'static str,
    pub id: &'static str,
    pub summary: &'static str,
    /// The names of its parameters, in the components of the document.
    pub parameters: &'static [&'static str],
    /// The name of the schema of its body.
    pub body: Option<&'static str>,
    /// The answer to a request that succeeds.
    pub success: Success,
    /// The problems of the component that answers.
    pub problems: &'static [(u16, &'static [&'static str])],
}

impl Operation {
    /// Whether a platform with an identity wants an access token. What describes the API is public.
    pub fn needs_identity(&self) -> bool {
        let context = self.path.split('/').nth(1).unwrap_or_default();
        let contexts = [
            "cars",
            "reservations",
            "payments",
            "messages",
            "carviews",
            "operations",
        ];
        contexts.contains(&context)
    }
}

/// A success.
pub struct Success {
    pub status: u16,
    /// The name of the schema of the body; no body if absent.
    pub schema: Option<&'static str>,
    pub media_type: &'static str,
    pub headers: &'static [&'static str],
}

const HAL: &str = "application/hal+json";
const JSON: &str = "application/json";

const ONE: &[&str] = &["If-Match", "If-None-Match"];

const BAD_QUERY: (u16, &[&str]) = (400, &["bad-query"]);
const NOT_FOUND: (u16, &[&str]) = (404, &["not-found"]);
const PRECONDITION: (u16, &[&str]) = (412, &["precondition-failed"]);
const BODY: [(u16, &[&str]); 5] = [
    (400, &["malformed-json"]),
    (413, &["payload-too-large"]),
    (
        415,
        &["unsupported-media-type", "unsupported-content-encoding"],
    ),
    (422, &["invalid-field"]),
    (408, &["request-timeout"]),
];

const fn found(schema: &'static str) -> Success {
    Success {
        status: 200,
        schema: Some(schema),
        media_type: HAL,
        headers: &["ETag"],
    }
}

/// A success of the host with JSON of this schema.
const fn json(schema: &'static str) -> Success {
    Success {
        status: 200,
        schema: Some(schema),
        media_type: JSON,
        headers: &[],
    }
}

const fn read(
    path: &'static str,
    id: &'static str,
    summary: &'static str,
    parameters: &'static [&'static str],
    success: Success,
    problems: &'static [(u16, &'static [&'static str])],
) -> Operation {
    Operation {
        method: "get",
        path,
        id,
        summary,
        parameters,
        body: None,
        success,
        problems,
    }
}

/// Every operation that a client may use.
pub fn all() -> impl Iterator<Item = &'static Operation> {
    let contexts = contexts::OPERATIONS.iter();
    contexts
        .chain(host::OPERATIONS)
        .chain(operators::OPERATIONS)
}

/// The problems of a request on a platform with an identity, and of a client that sends too much.
const IDENTITY_PROBLEMS: &[(u16, &[&str])] = &[
    (401, &["token-required", "invalid-token"]),
    (403, &["forbidden", "role-required", "foreign-origin"]),
    (429, &["too-many-requests"]),
    (503, &["identity-unavailable"]),
];

/// What the host may answer instead of a component.
pub const HOST_PROBLEMS: &[(u16, &[&str])] = &[
    (400, &["bad-request"]),
    (500, &["component-trapped", "corrupt-state"]),
    (503, &["overloaded", "cut-off", "not-kept", "unavailable"]),
    (504, &["deadline-exceeded"]),
];

/// The names of the problems of an operation and of the host, by status.
pub fn problems_of(operation: &Operation) -> BTreeMap<u16, Vec<&'static str>> {
    let mut by_status: BTreeMap<u16, Vec<&'static str>> = BTreeMap::new();
    let of_identity: &[_] = match operation.needs_identity() {
        true => IDENTITY_PROBLEMS,
        false => &[],
    };
    let problems = operation.problems.iter().chain(HOST_PROBLEMS);
    for (status, slugs) in problems.chain(of_identity) {
        by_status.entry(*status).or_default().extend(*slugs);
    }
    by_status
}

/// The names of all problems, by operation.
pub fn problems() -> Vec<(&'static str, Vec<&'static str>)> {
    let of = |operation: &'static Operation| {
        let slugs = problems_of(operation).into_values().flatten();
        (operation.id, slugs.collect())
    };
    all().map(of).collect()
}
