//! A fake of the database of the read model: viewpage's own SQLite in memory, one for each thread. It is rolled
//! back after each schedule, because creating its tables takes longer than a schedule.

use super::poll_ready;
use crate::{context::ContextId, fault_profile::CallOutcome, request::request, world::World};
use events::{CarState, CloudEvent, PaymentState, ReservationState, Timestamp};
use http::Method;
use kit::{
    Effect, Unavailable,
    http::{Problem, Request, Response},
};
use records_over_http::responses::{newest_path, parse_newest, parse_record};
use std::{cell::RefCell, rc::Rc};
use viewpage::{
    Database, DatabaseError, SqlValue,
    memory::MemoryDatabase,
    ports::{Record, RecordState, Records},
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
    contexts: FakeRecords,
}

/// The other contexts, as a rebuild reads them.
struct FakeRecords(Rc<World>);

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
            contexts: FakeRecords(Rc::clone(world)),
        }
    }

    /// Handles a request: a query, or a step of a rebuild.
    pub async fn handle(&self, request: Request) -> Response {
        let path = request.uri().path().to_owned();
        if rebuild::is_rebuild_path(&path) {
            return rebuild::handle(&self.store, &self.contexts, request).await;
        }
        match self.store.active().await {
            Ok(model) => viewpage::http::handle(&model, request, Timestamp::default()).await,
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

impl Records for FakeRecords {
    async fn newest(&self, context: SourceContext) -> Result<Option<u64>, Unavailable> {
        let (collection, id) = (context.collection(), context.id_column());
        let response = self.get(context, &newest_path(collection, id)).await?;
        parse_newest(collection, collection, id, &response)
    }

    async fn read(
        &self,
        context: SourceContext,
        numbers: &[u64],
    ) -> Result<Vec<Record>, Unavailable> {
        let collection = context.collection();
        let mut records = Vec::new();
        for number in numbers {
            let path = format!("/{collection}/{number}");
            let response = self.get(context, &path).await?;
            let found = match context {
                SourceContext::Car => parse_record::<CarState>(collection, &response)?
                    .map(|(state, version)| (RecordState::Car(state), version)),
                SourceContext::Reservation => {
                    parse_record::<ReservationState>(collection, &response)?
                        .map(|(state, version)| (RecordState::Reservation(state), version))
                }
                SourceContext::Payment => parse_record::<PaymentState>(collection, &response)?
                    .map(|(state, version)| (RecordState::Payment(state), version)),
            };
            records.extend(found.map(|(state, version)| Record { state, version }));
        }
        Ok(records)
    }
}

impl FakeRecords {
    async fn get(&self, context: SourceContext, path: &str) -> Result<Response, Unavailable> {
        let to = match context {
            SourceContext::Car => ContextId::Car,
            SourceContext::Reservation => ContextId::Reservation,
            SourceContext::Payment => ContextId::Payment,
        };
        let request = request(Method::GET, path, &[], "");
        let response = self.0.call(to, request, READ_TIMEOUT_MS).await;
        response.ok_or_else(|| Unavailable {
            message: "no reply".into(),
            retry_after: None,
            effect: Effect::None,
        })
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
