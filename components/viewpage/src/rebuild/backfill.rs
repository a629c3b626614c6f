//! The backfill of a rebuild: it reads the aggregates of which the log has no event any more, because retention has dropped
//! them.
//!
//! It visits aggregates by their numbers, which count from 1 with few gaps, and not by pages, which a deletion between two
//! pages would shift. It reads only the aggregates that no event has updated.

use crate::{
    ports::{ContextClient, Database},
    read_model::ReadModel,
    source_context::SourceContext,
    sql::upsert::RowUpdate,
    sql_value::SqlValue,
};
use events::{CarState, PaymentState, ReservationState};
use kit::http::Problem;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value as Json;

/// The greatest number of aggregates that one step reads from other contexts, so that it ends well before its deadline.
const MAX_READS_PER_STEP: u64 = 50;

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
    contexts: &impl ContextClient,
    cursor: Cursor,
) -> Result<BackfillStep, Problem> {
    let Cursor { context, after } = cursor;
    let newest = newest_id(contexts, context).await?;
    // The newest number can be lower than it was in the last step, if the aggregate was deleted meanwhile.
    let until = newest.clamp(after, after + MAX_IDS_PER_STEP);
    let known = known_ids(model, context, after, until).await?;
    let mut taken = 0;
    for id in after + 1..=until {
        if known.contains(&id) {
            continue;
        }
        if taken == MAX_READS_PER_STEP {
            let after = id - 1;
            let next = Some(Cursor { context, after });
            return Ok(BackfillStep { taken, next });
        }
        taken += 1;
        copy(model, contexts, context, id).await?;
    }
    let next = match until == after {
        true => context.next().map(|context| Cursor { context, after: 0 }),
        false => Some(Cursor {
            context,
            after: until,
        }),
    };
    Ok(BackfillStep { taken, next })
}

/// The greatest number that the context has allocated, 0 for none.
async fn newest_id(contexts: &impl ContextClient, context: SourceContext) -> Result<u64, Problem> {
    let (collection, id) = (context.collection(), context.id_column());
    let path = format!("/{collection}?size=1&sort={id},desc");
    let page = contexts.read(context, &path).await?;
    let newest = page.and_then(|page| page.body["_embedded"][collection][0][id].as_u64());
    Ok(newest.unwrap_or_default())
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

/// Copies the state of one aggregate, if it exists.
async fn copy<D: Database>(
    model: &ReadModel<D>,
    contexts: &impl ContextClient,
    context: SourceContext,
    id: u64,
) -> Result<(), Problem> {
    let path = format!("/{}/{id}", context.collection());
    let Some(snapshot) = contexts.read(context, &path).await? else {
        return Ok(());
    };
    let version = snapshot.version.unwrap_or_default();
    match context {
        SourceContext::Car => {
            let car: CarState = parse(snapshot.body)?;
            model.apply(RowUpdate::Car(&car), version, "").await?;
        }
        SourceContext::Reservation => {
            let reservation: ReservationState = parse(snapshot.body)?;
            let update = match reservation.status.as_str() {
                "rejected" => RowUpdate::RejectedReservation(&reservation),
                _ => RowUpdate::Reservation(&reservation),
            };
            model.apply(update, version, "").await?;
        }
        SourceContext::Payment => {
            let payment: PaymentState = parse(snapshot.body)?;
            let update = RowUpdate::Payment(&payment);
            model.apply(update, version, "").await?;
        }
    }
    Ok(())
}

fn parse<T: DeserializeOwned>(body: Json) -> Result<T, Problem> {
    serde_json::from_value(body).map_err(|error| {
        Problem::unavailable(format!("a context returned an unexpected body: {error}"), 1)
    })
}
