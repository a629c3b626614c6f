//! How Spin calls this context: the two exported handlers, and the adapters of the ports.
#![expect(unsafe_code, reason = "the SDK's export macros write the ABI glue")]

mod database;
mod records;

use crate::{http, ports::DatabaseError, read_model_store::ReadModelStore, rebuild};
use database::SpinDatabase;
use kit::{EventFailure, Origin, http::Problem, spin::ContextNames};
use records::SpinRecords;
use spin_sdk::{
    redis_subscriber,
    wasip3::{
        exports::http::handler::Guest,
        http::types::{ErrorCode, Request, Response},
    },
};
use std::{cell::RefCell, rc::Rc, time::SystemTime};

type SharedStore = Rc<ReadModelStore<SpinDatabase>>;

thread_local! {
    /// Reused by all requests of this instance, so that the tables are checked once per instance.
    static STORE: RefCell<Option<SharedStore>> = const { RefCell::new(None) };
}

/// The id of a rebuild step that arrives without one. A step only reads other contexts, so it needs no unique id.
const REBUILD_ID: &str = "00000000000000000000000000000001";

/// The interfaces that this context uses of other contexts; `wit/worlds.wit` shows the whole world of the component.
mod bindings {
    wit_bindgen::generate!({
        path: "../../wit",
        inline: "
            package socar:viewpage-component;
            world contracts {
                import spin:sqlite/sqlite@3.1.0;
                import socar:car/records@1.0.0;
                import socar:payment/records@1.0.0;
                import socar:reservation/records@1.0.0;
            }
        ",
        with: { "socar:calls/types@1.0.0": kit::spin::calls::types },
        generate_all,
    });
}

struct Component;

const CONTEXT: ContextNames = ContextNames {
    id: "viewpage",
    plural: "carviews",
};

spin_sdk::wasip3::http::service::export!(Component);

impl Guest for Component {
    async fn handle(request: Request) -> Result<Response, ErrorCode> {
        kit::spin::serve(
            request,
            CONTEXT,
            async |request| {
                let path = request.uri().path().to_owned();
                let response = respond(request).await;
                response.unwrap_or_else(|error| Problem::from(error).into_response(&path))
            },
            async |event| store().await?.project(&event).await,
        )
        .await
    }
}

#[redis_subscriber]
async fn react(message: bytes::Bytes) -> Result<(), EventFailure> {
    kit::spin::react(&message, async |event| store().await?.project(&event).await).await
}

async fn respond(request: kit::http::Request) -> Result<kit::http::Response, DatabaseError> {
    let store = store().await?;
    if rebuild::is_rebuild_path(request.uri().path()) {
        let origin = Origin::from_headers(request.headers(), REBUILD_ID);
        return Ok(rebuild::handle(&store, &SpinRecords { origin }, request).await);
    }
    let model = store.active().await?;
    Ok(http::handle(&model, request, SystemTime::now().into()).await)
}

/// The store of this instance. After a failure of the database it is opened again: the connection may be broken, or the
/// file may be another one.
async fn store() -> Result<SharedStore, DatabaseError> {
    let current = STORE.with_borrow(Clone::clone);
    if let Some(store) = current.filter(|store| store.database().is_healthy()) {
        return Ok(store);
    }
    let database = SpinDatabase::open("viewpage")?;
    let store = Rc::new(ReadModelStore::open(database).await?);
    STORE.with_borrow_mut(|current| *current = Some(Rc::clone(&store)));
    Ok(store)
}
