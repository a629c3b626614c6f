//! How Spin wakes this context: the two exports, and the database behind them.
#![expect(unsafe_code, reason = "the SDK's export macros write the ABI glue")]

mod rows;

use crate::{ReadModel, RowsError, http};
use kit::http::Problem;
use rows::SpinRows;
use spin_sdk::{
    http::{IntoResponse, Request},
    http_service, redis_subscriber,
};
use std::{cell::RefCell, rc::Rc};

type Model = Rc<ReadModel<SpinRows>>;

thread_local! {
    /// Kept from request to request, so that the tables are looked for once per instance.
    static MODEL: RefCell<Option<Model>> = const { RefCell::new(None) };
}

#[http_service]
async fn answer(request: Request) -> impl IntoResponse {
    kit::spin::serve(
        request,
        "carviews",
        async |request| {
            let path = request.uri().path().to_owned();
            match model().await {
                Ok(model) => http::answer(&model, request).await,
                Err(error) => Problem::from(error).into_response(&path),
            }
        },
        async |event| model().await?.project(&event).await,
    )
    .await
}

#[redis_subscriber]
async fn react(message: bytes::Bytes) -> Result<(), String> {
    kit::spin::react(&message, async |event| model().await?.project(&event).await).await
}

/// The read model; opened anew after the database failed, as its connection or even its file may be
/// another then.
async fn model() -> Result<Model, RowsError> {
    let kept = MODEL.with_borrow(Clone::clone);
    if let Some(model) = kept.filter(|model| model.rows().is_sound()) {
        return Ok(model);
    }
    let model = Rc::new(ReadModel::open(SpinRows::open("viewpage").await?).await?);
    MODEL.with_borrow_mut(|kept| *kept = Some(Rc::clone(&model)));
    Ok(model)
}
