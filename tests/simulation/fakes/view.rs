//! A fake of the database of the read model: viewpage's own SQLite in memory, one for each thread. It is rolled
//! back after each schedule, because creating its tables takes longer than a schedule.

use super::poll_ready;
use crate::{context::ContextId, fault_profile::CallOutcome, request::request, world::World};
use events::CloudEvent;
use http::{Method, header};
use kit::http::{Problem, Request, Response};
use std::{cell::RefCell, rc::Rc};
use viewpage::{
    Database, DatabaseError, SqlValue,
    memory::MemoryDatabase,
    ports::{ContextClient, ContextError, ResourceSnapshot},
    read_model_store::ReadModelStore,
    rebuild,
    source_context::SourceContext,
};

/// The timeout of a read in another context, in milliseconds.
const READ_TIMEOUT_MS: u64 = 1_500;

/// The database, whose statements are scheduling points.
struct ViewRows {
    database: MemoryDatabase,
    world: RefCell<Option<Rc<World>>>,
}

/// A database that the schedules of one thread share.
#[derive(Clone)]
struct SharedRows(Rc<ViewRows>);

thread_local! {
    static ROWS: SharedRows = empty();
}

/// A read model that is empty when it is created and again when it is dropped.
pub struct View {
    rows: SharedRows,
    store: ReadModelStore<SharedRows>,
    contexts: FakeContextClient,
}

/// The other contexts, as a rebuild reads them.
struct FakeContextClient(Rc<World>);

impl View {
    /// The read model of one schedule.
    pub fn new(world: &Rc<World>) -> Self {
        let rows = ROWS.with(Clone::clone);
        rows.0.execute("SAVEPOINT schedule");
        let store = poll_ready(ReadModelStore::open(rows.clone())).expect("the table is there");
        assert!(poll_ready(store.active()).is_ok(), "the tables are there");
        *rows.0.world.borrow_mut() = Some(Rc::clone(world));
        Self {
            rows,
            store,
            contexts: FakeContextClient(Rc::clone(world)),
        }
    }

    /// Handles a request: a query, or a step of a rebuild.
    pub async fn handle(&self, request: Request) -> Response {
        let path = request.uri().path().to_owned();
        if rebuild::is_rebuild_path(&path) {
            return rebuild::handle(&self.store, &self.contexts, request).await;
        }
        match self.store.active().await {
            Ok(model) => viewpage::http::handle(&model, request).await,
            Err(error) => Problem::from(error).into_response(&path),
        }
    }

    /// Projects an event.
    pub async fn project(&self, event: &CloudEvent) -> Result<(), DatabaseError> {
        self.store.project(event).await
    }
}

impl Drop for View {
    fn drop(&mut self) {
        *self.rows.0.world.borrow_mut() = None;
        self.rows
            .0
            .execute("ROLLBACK TO schedule; RELEASE schedule");
    }
}

impl ContextClient for FakeContextClient {
    async fn read(
        &self,
        context: SourceContext,
        path: &str,
    ) -> Result<Option<ResourceSnapshot>, ContextError> {
        let to = match context {
            SourceContext::Car => ContextId::Car,
            SourceContext::Reservation => ContextId::Reservation,
            SourceContext::Payment => ContextId::Payment,
        };
        let request = request(Method::GET, path, &[], "");
        let response = self.0.call(to, request, READ_TIMEOUT_MS).await;
        let response = response.ok_or_else(|| ContextError("no reply".into()))?;
        let tag = response.headers().get(header::ETAG);
        let tag = tag.and_then(|tag| tag.to_str().ok());
        match response.status().as_u16() {
            200 => Ok(Some(ResourceSnapshot {
                body: serde_json::from_slice(response.body()).unwrap_or_default(),
                version: tag.and_then(|tag| tag.trim_matches('"').parse().ok()),
            })),
            404 => Ok(None),
            status => Err(ContextError(format!("answered {status}"))),
        }
    }
}

fn empty() -> SharedRows {
    let rows = SharedRows(Rc::new(ViewRows {
        database: MemoryDatabase::new().expect("a database in memory"),
        world: RefCell::new(None),
    }));
    let store = poll_ready(ReadModelStore::open(rows.clone())).expect("the table is created");
    assert!(poll_ready(store.active()).is_ok(), "the tables are created");
    rows
}

impl ViewRows {
    fn execute(&self, statement: &str) {
        let done = self.database.connection.execute_batch(statement);
        done.expect("savepoints are always possible");
    }
}

impl Database for SharedRows {
    async fn run(
        &self,
        statement: &str,
        parameters: &[SqlValue],
    ) -> Result<Vec<Vec<SqlValue>>, DatabaseError> {
        let world = self.0.world.borrow().clone();
        let mut outcome = CallOutcome::Applied;
        if let Some(world) = world {
            world.port_call(|| "rows.run".into()).await;
            outcome = world.faults.store_outcome(ContextId::View, &world.random);
        }
        if outcome == CallOutcome::Dropped {
            return Err(DatabaseError("no reply".into()));
        }
        let response = poll_ready(self.0.database.run(statement, parameters));
        match outcome {
            CallOutcome::Applied => response,
            _ => Err(DatabaseError("no reply".into())),
        }
    }
}
