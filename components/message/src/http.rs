//! The message context over HTTP: `/messages`, read only.

use crate::{
    authorization,
    domain::Message,
    queries::{self, UnknownMessage},
    repository::MessageRepository,
    sweep,
};
use ::http::Method;
use events::{CarId, CustomerId, MessageId, ReservationId, Timestamp};
use kit::{
    Platform, Principal,
    http::{
        Problem, Request, Response, ResponseFuture, base_url, etag,
        hal::{self, Item},
        language::{Language, in_language},
        paging::Page,
        serve,
    },
};
use serde::Serialize;
use serde_json::json;

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
    let principal = Principal::from_headers(request.headers());
    let access = authorization::list(&principal);
    access.require("to list messages", || {
        Problem::not_found("there are no messages")
    })?;
    let page = Page::without_filters(request, &queries::COLUMNS)?;
    let language = Language::preferred(request.headers());
    let (rows, total) = match principal.customer() {
        Some(customer) => {
            queries::messages_to_customer(messages, customer, &page, language).await?
        }
        None => queries::messages(messages, &page, language).await?,
    };
    let base = base_url(request);
    let items = rows
        .iter()
        .map(|message| item(message, language, &base, &principal));
    let items: Vec<_> = items.collect();
    let page = hal::page(&page, total, &base, "/messages", "messages", &items);
    Ok(in_language(page, language))
}

async fn show<P: Platform>(
    messages: &MessageRepository<P>,
    request: &Request,
    id: MessageId,
) -> Result<Response, Problem> {
    let message = queries::message(messages, id).await?;
    let principal = Principal::from_headers(request.headers());
    let access = authorization::see(&principal, message.state.customer.as_ref());
    access.require("to see a message", || UnknownMessage(id).into())?;
    let language = Language::preferred(request.headers());
    let item = item(&message.state, language, &base_url(request), &principal);
    let found = etag::tagged(hal::found(&item), message.version);
    Ok(in_language(found, language))
}

async fn sweep<P: Platform>(messages: &MessageRepository<P>) -> Result<Response, Problem> {
    let retired = sweep::sweep(messages).await?;
    Ok(hal::found(&json!({ "retired": retired })))
}

/// The fields of a message.
#[derive(Serialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "Message")
)]
#[serde(rename_all = "camelCase")]
struct MessageFields<'a> {
    msg_id: MessageId,
    car_id: CarId,
    rsv_id: ReservationId,
    /// What the message says: `reservation-confirmed`, `reservation-cancelled` or `reservation-rejected`.
    kind: &'static str,
    parameters: MessageParameters,
    /// The text, in the language that the client prefers.
    content: String,
    sent_at: Timestamp,
    /// The customer, for those who may see it.
    #[serde(skip_serializing_if = "Option::is_none")]
    customer_id: Option<&'a CustomerId>,
}

/// What the text of a message contains, for clients with a text of their own.
#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
struct MessageParameters {
    car_id: CarId,
    rsv_id: ReservationId,
}

fn item<'a>(
    message: &'a Message,
    language: Language,
    base: &str,
    principal: &Principal,
) -> Item<MessageFields<'a>> {
    let id = message.id;
    let fields = MessageFields {
        msg_id: id,
        car_id: message.car,
        rsv_id: message.reservation,
        kind: message.kind.name(),
        parameters: MessageParameters {
            car_id: message.car,
            rsv_id: message.reservation,
        },
        content: message.content(language),
        sent_at: message.sent_at,
        customer_id: principal.shown(message.customer.as_ref()),
    };
    hal::item(fields, base, &format!("/messages/{id}"), "message")
}

impl From<UnknownMessage> for Problem {
    fn from(UnknownMessage(id): UnknownMessage) -> Self {
        Self::not_found(format!("there is no message {id}"))
    }
}

/// The JSON schema of a message, for the documents of the API.
#[cfg(feature = "schema")]
pub fn schema(generator: schemars::SchemaGenerator) -> schemars::Schema {
    generator.into_root_schema_for::<MessageFields<'static>>()
}
