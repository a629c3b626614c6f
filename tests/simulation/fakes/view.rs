//! A fake of the database of the read model: viewpage's own SQLite in memory, one for each thread. It is rolled
//! back after each schedule, because creating its tables takes longer than a schedule.

use super::poll_ready;
use crate::{context::ContextId, fault_profile::CallOutcome, world::World};
use std::{cell::RefCell, rc::Rc};
use viewpage::{
    Database, DatabaseError, ReadModel, ReadModelGeneration, SqlValue, memory::MemoryDatabase,
};

/// The database, whose statements are scheduling points.
pub struct ViewRows {
    database: MemoryDatabase,
    world: RefCell<Option<Rc<World>>>,
}

thread_local! {
    static MODEL: Rc<ReadModel<ViewRows>> = Rc::new(empty());
}

/// A read model that is empty when it is created and again when it is dropped.
pub struct View(Rc<ReadModel<ViewRows>>);

impl View {
    /// The read model of one schedule.
    pub fn new(world: &Rc<World>) -> Self {
        let model = MODEL.with(Rc::clone);
        model.database().execute("SAVEPOINT schedule");
        *model.database().world.borrow_mut() = Some(Rc::clone(world));
        Self(model)
    }

    /// The read model.
    pub fn model(&self) -> &ReadModel<ViewRows> {
        &self.0
    }
}

impl Drop for View {
    fn drop(&mut self) {
        let rows = self.0.database();
        *rows.world.borrow_mut() = None;
        rows.execute("ROLLBACK TO schedule; RELEASE schedule");
    }
}

fn empty() -> ReadModel<ViewRows> {
    let rows = ViewRows {
        database: MemoryDatabase::new().expect("a database in memory"),
        world: RefCell::new(None),
    };
    poll_ready(ReadModel::open(rows, ReadModelGeneration::FIRST)).expect("the tables of the view")
}

impl ViewRows {
    fn execute(&self, statement: &str) {
        let done = self.database.connection.execute_batch(statement);
        done.expect("savepoints are always possible");
    }
}

impl Database for ViewRows {
    async fn run(
        &self,
        statement: &str,
        parameters: &[SqlValue],
    ) -> Result<Vec<Vec<SqlValue>>, DatabaseError> {
        let world = self.world.borrow().clone();
        let mut outcome = CallOutcome::Applied;
        if let Some(world) = world {
            world.port_call(|| "rows.run".into()).await;
            outcome = world.faults.store_outcome(ContextId::View, &world.random);
        }
        if outcome == CallOutcome::Dropped {
            return Err(DatabaseError("no reply".into()));
        }
        let response = poll_ready(self.database.run(statement, parameters));
        match outcome {
            CallOutcome::Applied => response,
            _ => Err(DatabaseError("no reply".into())),
        }
    }
}
