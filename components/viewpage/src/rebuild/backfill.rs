//! The backfill of a rebuild: it reads the aggregates of which the log has no event any more, because retention has dropped
//! them.
//!
//! It visits aggregates by their numbers, which count from 1 with few gaps, and not by pages, which a deletion between two
//! pages would shift. It reads only the aggregates that no event has updated.

use crate::{
    ports::{Database, Record, RecordState, Records},
    read_model::ReadModel,
    source_context::SourceContext,
    sql::upsert::RowUpdate,
    sql_value::SqlValue,
};
use kit::http::Problem;
use serde::{Deserialize, Serialize};

/// The greatest number of aggregates that one step reads from other contexts, so that it ends well before its deadline.
const MAX_READS_PER_STEP: usize = 50;

/// The greatest number of ids that one step visits.
const MAX_IDS_PER_STEP: u64 = 1000;

/// The progress of a backfill: all numbers of `context` up to `after` are visited, and all contexts before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    #[serde(rename = "owner")]
    context: SourceContext,
    after: u64,
}

/// The result of one step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BackfillStep {
    /// How many aggregates were read.
    pub taken: u64,
    /// Where the next step continues; `None` at the end.
    pub next: Option<Cursor>,
}

impl Cursor {
    /// The beginning.
    pub const START: Self = Self {
        context: SourceContext::Car,
        after: 0,
    };
}

/// Takes one step. Idempotent.
///
/// # Errors
///
/// A [`Problem`] when the database or another context fails; the step can then be repeated.
pub async fn step<D: Database>(
    model: &ReadModel<D>,
    records: &impl Records,
    cursor: Cursor,
) -> Result<BackfillStep, Problem> {
    let Cursor { context, after } = cursor;
    let newest = records.newest(context).await?.unwrap_or_default();
    // The newest number can be lower than it was in the last step, if the aggregate was deleted meanwhile.
    let until = newest.clamp(after, after + MAX_IDS_PER_STEP);
    let known = known_ids(model, context, after, until).await?;
    let mut unknown = (after + 1..=until).filter(|id| !known.contains(id));
    let numbers: Vec<u64> = unknown.by_ref().take(MAX_READS_PER_STEP).collect();
    let until = unknown.next().map_or(until, |id| id - 1);
    if !numbers.is_empty() {
        for record in records.read(context, &numbers).await? {
            copy(model, &record).await?;
        }
    }
    let next = match until == after {
        true => context.next().map(|context| Cursor { context, after: 0 }),
        false => Some(Cursor {
            context,
            after: until,
        }),
    };
    let taken = numbers.len() as u64;
    Ok(BackfillStep { taken, next })
}

/// The numbers in a range that have a base row.
async fn known_ids<D: Database>(
    model: &ReadModel<D>,
    context: SourceContext,
    after: u64,
    until: u64,
) -> Result<Vec<u64>, Problem> {
    let (table, id) = (context.collection(), context.id_column());
    let known = format!("SELECT {id} FROM ${table} WHERE {id} > ?1 AND {id} <= ?2");
    let rows = model.run(&known, &[after.into(), until.into()]).await?;
    let id = |row: Vec<SqlValue>| match row[..] {
        [SqlValue::Number(id)] => u64::try_from(id).ok(),
        _ => None,
    };
    Ok(rows.into_iter().filter_map(id).collect())
}

/// Copies the state of one aggregate.
async fn copy<D: Database>(model: &ReadModel<D>, record: &Record) -> Result<(), Problem> {
    let update = match &record.state {
        RecordState::Car(car) => RowUpdate::Car(car),
        RecordState::Reservation(reservation) => match reservation.status.as_str() {
            "rejected" => RowUpdate::RejectedReservation(reservation),
            _ => RowUpdate::Reservation(reservation),
        },
        RecordState::Payment(payment) => RowUpdate::Payment(payment),
    };
    Ok(model.apply(update, record.version, "").await?)
}
