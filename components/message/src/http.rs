//! The message context over HTTP: `/messages`, read only.

use crate::{
    domain::Message,
    queries::{self, UnknownMessage},
    repository::MessageRepository,
    sweep,
};
use ::http::Method;
use events::MessageId;
use kit::{
    Platform,
    http::{Problem, Request, Response, ResponseFuture, base_url, etag, hal, paging::Page, serve},
};
use serde_json::{Value, json};

/// Handles one request.
pub async fn handle<P: Platform>(messages: &MessageRepository<P>, request: Request) -> Response {
    serve(&request, |method, path| {
        route(messages, &request, method, path)
    })
    .await
}

/// The routes, one line per operation.
fn route<'a, P: Platform>(
    messages: &'a MessageRepository<P>,
    request: &'a Request,
    method: &Method,
    path: &[&str],
) -> Option<ResponseFuture<'a>> {
    Some(match (method.as_str(), path) {
        ("GET", ["messages"]) => Box::pin(list(messages, request)),
        ("GET", ["messages", id]) => Box::pin(show(messages, request, id.parse().ok()?)),
        ("POST", ["internal", "sweep"]) => Box::pin(sweep(messages)),
        _ => return None,
    })
}

async fn list<P: Platform>(
    messages: &MessageRepository<P>,
    request: &Request,
) -> Result<Response, Problem> {
    let page = Page::without_filters(request, &queries::COLUMNS)?;
    let (rows, total) = queries::messages(messages, &page).await?;
    let base = base_url(request);
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
    let item = item(&message.state, &base_url(request));
    Ok(etag::tagged(hal::found(&item), message.version))
}

async fn sweep<P: Platform>(messages: &MessageRepository<P>) -> Result<Response, Problem> {
    let retired = sweep::sweep(messages).await?;
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
