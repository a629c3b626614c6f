//! The message context over HTTP: `/messages`, at which people may look.

use crate::{
    MessageRepository,
    domain::Message,
    queries::{self, UnknownMessage},
    sweep,
};
use ::http::Method;
use events::MessageId;
use kit::{
    Platform,
    http::{self, Problem, Request, Response, Route, etag, hal, paging::Page},
};
use serde_json::{Value, json};

enum Resource {
    Messages,
    Message(MessageId),
    Sweep,
}

/// Answers one request.
pub async fn answer<P: Platform>(messages: &MessageRepository<P>, request: Request) -> Response {
    http::serve(request, route, async |resource, request| match resource {
        Resource::Messages => list(messages, &request).await,
        Resource::Message(id) => show(messages, &request, id).await,
        Resource::Sweep => swept(messages).await,
    })
    .await
}

fn route(path: &[&str]) -> Option<Route<Resource>> {
    const LOOK: &[Method] = &[Method::GET];
    const COMMAND: &[Method] = &[Method::POST];
    let (resource, methods) = match *path {
        ["messages"] => (Resource::Messages, LOOK),
        ["messages", id] => (Resource::Message(id.parse().ok()?), LOOK),
        ["internal", "sweep"] => (Resource::Sweep, COMMAND),
        _ => return None,
    };
    Some(Route { resource, methods })
}

async fn list<P: Platform>(
    messages: &MessageRepository<P>,
    request: &Request,
) -> Result<Response, Problem> {
    let page = Page::without_filters(request, &queries::COLUMNS)?;
    let (rows, total) = queries::messages(messages, &page).await?;
    let base = http::base_url(request);
    let items = rows.iter().map(|message| item(message, &base)).collect();
    Ok(hal::page(
        &page,
        total,
        &base,
        "/messages",
        "messages",
        items,
    ))
}

async fn show<P: Platform>(
    messages: &MessageRepository<P>,
    request: &Request,
    id: MessageId,
) -> Result<Response, Problem> {
    let message = queries::message(messages, id).await?;
    let item = item(&message.state, &http::base_url(request));
    Ok(etag::tagged(hal::found(&item), message.version))
}

async fn swept<P: Platform>(messages: &MessageRepository<P>) -> Result<Response, Problem> {
    let retired = sweep::sweep(messages)
        .await
        .map_err(|silence| Problem::unavailable(silence, 5))?;
    Ok(hal::found(&json!({ "retired": retired })))
}

fn item(message: &Message, base: &str) -> Value {
    let id = message.id;
    let fields = json!({
        "msgId": id,
        "carId": message.car,
        "rsvId": message.reservation,
        "content": message.content,
        "sentAt": message.sent_at,
    });
    hal::item(fields, base, &format!("/messages/{id}"), "message")
}

impl From<UnknownMessage> for Problem {
    fn from(UnknownMessage(id): UnknownMessage) -> Self {
        Self::not_found(format!("there is no message {id}"))
    }
}
