//! The operations of the host and of the documents.

use super::{BODY, JSON, NOT_FOUND, ONE, Operation, Success, read};

const fn document(media_type: &'static str) -> Success {
    Success {
        status: 200,
        schema: Some("Document"),
        media_type,
        headers: &["ETag"],
    }
}

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
    read(
        "/openapi.json",
        "getOpenApi",
        "This document",
        ONE,
        document(JSON),
        &[],
    ),
    read(
        "/asyncapi.json",
        "getAsyncApi",
        "The document of the events",
        ONE,
        document(JSON),
        &[],
    ),
];
