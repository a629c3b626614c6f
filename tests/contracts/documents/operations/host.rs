//! The operations of the host and of the documents.

use super::{BAD_QUERY, BODY, JSON, NOT_FOUND, ONE, Operation, PRECONDITION, Success, json, read};

const fn document(media_type: &'static str) -> Success {
    Success {
        status: 200,
        schema: Some("Document"),
        media_type,
        headers: &["ETag"],
    }
}

/// A redirection of the page to the OpenID provider.
const fn to_provider(
    path: &'static str,
    id: &'static str,
    summary: &'static str,
    parameters: &'static [&'static str],
) -> Operation {
    let success = Success {
        status: 303,
        schema: None,
        media_type: JSON,
        headers: &["Location"],
    };
    read(path, id, summary, parameters, success, TO_PROVIDER)
}

/// The problems of a request that leads to an OpenID provider, which not every platform has.
const TO_PROVIDER: &[(u16, &[&str])] = &[
    BAD_QUERY,
    NOT_FOUND,
    (429, &["too-many-requests"]),
    (503, &["identity-unavailable"]),
];

pub const OPERATIONS: &[Operation] = &[
    read(
        "/carviews/stream",
        "listen",
        "The changes as they happen, as Server-Sent Events",
        &["Last-Event-ID"],
        Success {
            status: 200,
            schema: Some("EventStream"),
            media_type: "text/event-stream",
            headers: &[],
        },
        &[(410, &["position-gone"]), (503, &["too-many-listeners"])],
    ),
    read(
        "/identity",
        "getIdentity",
        "How users sign in",
        &[],
        Success {
            status: 200,
            schema: Some("Identity"),
            media_type: JSON,
            headers: &[],
        },
        &[],
    ),
    Operation {
        method: "post",
        path: "/identity/token",
        id: "signIn",
        summary: "Signs a user in, for the page of a platform with a local identity on this machine",
        parameters: &[],
        body: Some("SignIn"),
        success: Success {
            status: 200,
            schema: Some("AccessToken"),
            media_type: JSON,
            headers: &[],
        },
        problems: &[
            NOT_FOUND,
            BODY[0],
            BODY[1],
            (415, &["unsupported-media-type"]),
            BODY[3],
            BODY[4],
            (429, &["too-many-requests"]),
        ],
    },
    to_provider(
        "/identity/authorization",
        "authorize",
        "Leads the page to the OpenID provider, where a user signs in",
        &["redirect_uri", "state", "nonce", "code_challenge"],
    ),
    Operation {
        method: "post",
        path: "/identity/grant",
        id: "grant",
        summary: "Gives the page the tokens for a code of the OpenID provider, or for a refresh token",
        parameters: &[],
        body: Some("Grant"),
        success: json("GrantedTokens"),
        problems: &[
            NOT_FOUND,
            (400, &["malformed-json", "grant-refused"]),
            BODY[1],
            (415, &["unsupported-media-type"]),
            BODY[4],
            (429, &["too-many-requests"]),
            (503, &["identity-unavailable"]),
        ],
    },
    to_provider(
        "/identity/sign-out",
        "signOut",
        "Leads the page to the OpenID provider, where a user signs out",
        &["post_logout_redirect_uri"],
    ),
    read(
        "/openapi.json",
        "getOpenApi",
        "This document",
        ONE,
        document(JSON),
        &[PRECONDITION],
    ),
    read(
        "/asyncapi.json",
        "getAsyncApi",
        "The document of the events",
        ONE,
        document(JSON),
        &[PRECONDITION],
    ),
];
