//! How Spin wakes this context: the two exports, and the database behind them.
#![expect(unsafe_code, reason = "the SDK's export macros write the ABI glue")]

mod contexts;
mod database;

use crate::{DatabaseError, ReadModelStore, http, rebuild};
use contexts::SpinContextClient;
use database::SpinDatabase;
use kit::http::{Problem, Response};
use spin_sdk::{
    http::{IntoResponse, Request},
    http_service, redis_subscriber,
};
use std::{cell::RefCell, rc::Rc};

type Kept = Rc<ReadModelStore<SpinDatabase>>;

thread_local! {
    /// Kept from request to request, so that the tables are looked for once per instance.
    static VIEW: RefCell<Option<Kept>> = const { RefCell::new(None) };
}

#[http_service]
async fn answer(request: Request) -> impl IntoResponse {
    kit::spin::serve(
        request,
        "carviews",
        async |request| {
            let path = request.uri().path().to_owned();
            let answer = answer_from(request).await;
            answer.unwrap_or_else(|error| Problem::from(error).into_response(&path))
        },
        async |event| view().await?.project(&event).await,
    )
    .await
}

#[redis_subscriber]
async fn react(message: bytes::Bytes) -> Result<(), String> {
    kit::spin::react(&message, async |event| view().await?.project(&event).await).await
}

async fn answer_from(request: kit::http::Request) -> Result<Response, DatabaseError> {
    let view = view().await?;
    if rebuild::is_rebuild_path(request.uri().path()) {
        return Ok(rebuild::answer(&view, &SpinContextClient, request).await);
    }
    let model = view.active().await?;
    Ok(http::answer(&model, request).await)
}

/// The view; opened anew after the database failed, as its connection or even its file may be
/// another then.
async fn view() -> Result<Kept, DatabaseError> {
    let kept = VIEW.with_borrow(Clone::clone);
    if let Some(view) = kept.filter(|view| view.database().is_sound()) {
        return Ok(view);
    }
    let view = Rc::new(ReadModelStore::open(SpinDatabase::open("viewpage").await?).await?);
    VIEW.with_borrow_mut(|kept| *kept = Some(Rc::clone(&view)));
    Ok(view)
}
