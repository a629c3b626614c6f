//! `socar dead-letters`: lists, redrives and discards the events that could not be delivered.
//!
//! It opens the same state as a running host, which may run meanwhile. `list` prints a table on a terminal, and one JSON
//! object a line anywhere else.

use std::io::IsTerminal as _;

use anyhow::{Context as _, bail};
use comfy_table::{Table, presets};

use crate::backends::Backends;
use crate::cli::{DeadLettersAction, DeadLettersOptions};
use event_log::dead_letters::{self, DeadLetter};
use event_log::{EntryId, EventLog};

/// Dead letters that are read at a time.
const PAGE: usize = 100;

/// Runs the operation.
///
/// # Errors
/// When the state cannot be opened, or a dead letter does not exist.
pub async fn run(options: &DeadLettersOptions) -> anyhow::Result<()> {
    let state = options.state.find()?;
    let backends = Backends::open(&state, None, options.redis_url.as_deref())?;
    act(&*backends.log, &options.action).await
}

async fn act(log: &dyn EventLog, action: &DeadLettersAction) -> anyhow::Result<()> {
    match action {
        DeadLettersAction::List => list(&all(log).await?),
        DeadLettersAction::Show { id } => match dead_letters::show(log, parse(id)?).await? {
            Some(letter) => print(&letter),
            None => bail!("there is no dead letter {id}"),
        },
        DeadLettersAction::Redrive { ids, all: false } => {
            each(ids, async |id| dead_letters::redrive(log, id).await).await
        }
        DeadLettersAction::Redrive { all: true, .. } => {
            let ids: Vec<String> = all(log)
                .await?
                .into_iter()
                .map(|letter| letter.id)
                .collect();
            each(&ids, async |id| dead_letters::redrive(log, id).await).await
        }
        DeadLettersAction::Discard { ids } => {
            each(ids, async |id| dead_letters::discard(log, id).await).await
        }
    }
}

async fn all(log: &dyn EventLog) -> anyhow::Result<Vec<DeadLetter>> {
    let mut letters: Vec<DeadLetter> = Vec::new();
    loop {
        let last = letters.last().map(|letter| parse(&letter.id)).transpose()?;
        let page = dead_letters::list(log, last, PAGE).await?;
        let is_last = page.len() < PAGE;
        letters.extend(page);
        if is_last {
            return Ok(letters);
        }
    }
}

async fn each<E: Into<anyhow::Error>>(
    ids: &[String],
    act: impl AsyncFn(EntryId) -> Result<bool, E>,
) -> anyhow::Result<()> {
    for id in ids {
        if !act(parse(id)?).await.map_err(Into::into)? {
            bail!("there is no dead letter {id}");
        }
        println!("{id}");
    }
    Ok(())
}

fn parse(id: &str) -> anyhow::Result<EntryId> {
    id.parse().with_context(|| {
        format!("`{id}` is not the id of a dead letter; `socar dead-letters list` prints the ids")
    })
}

fn list(letters: &[DeadLetter]) -> anyhow::Result<()> {
    match std::io::stdout().is_terminal() {
        true => println!("{}", table(letters)),
        false => letters.iter().try_for_each(print)?,
    }
    Ok(())
}

fn table(letters: &[DeadLetter]) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    table.set_header(["ID", "GROUP", "STREAM", "ATTEMPTS", "ERROR"]);
    for letter in letters {
        table.add_row([
            letter.id.clone(),
            letter.group.clone(),
            letter.stream.clone(),
            letter.attempts.to_string(),
            letter.error.clone(),
        ]);
    }
    table
}

fn print(letter: &DeadLetter) -> anyhow::Result<()> {
    println!("{}", serde_json::to_string(letter)?);
    Ok(())
}
