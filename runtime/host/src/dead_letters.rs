//! `socar dead-letters`: look at the events that could not be delivered, and give them another chance.
//!
//! It works on the same state as a running host, and beside it. Letters are printed as one JSON object a line, for
//! people with patience and for programs.

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};

use crate::app::Foundation;
use crate::state::StateDir;
use event_log::dead_letters::{self, DeadLetter};
use event_log::{EntryId, EventLog};

/// How many letters are read at a time.
const PAGE: usize = 100;

/// The flags of `socar dead-letters`.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// What to do with them.
    #[command(subcommand)]
    action: Action,

    /// Whose they are.
    #[command(flatten)]
    state: StateDir,

    /// The Redis server that events are kept on, if they are.
    #[arg(long, value_name = "URL", global = true)]
    redis_url: Option<String>,
}

#[derive(Clone, Debug, Subcommand)]
enum Action {
    /// Print all of them, oldest first.
    List,
    /// Print one.
    Show {
        /// As `list` prints it.
        id: String,
    },
    /// Deliver them again, to the component that failed and to no other.
    Redrive {
        /// As `list` prints them.
        #[arg(required_unless_present = "all")]
        ids: Vec<String>,
        /// All that are there.
        #[arg(long, conflicts_with = "ids")]
        all: bool,
    },
    /// Throw them away for good.
    Discard {
        /// As `list` prints them.
        #[arg(required = true)]
        ids: Vec<String>,
    },
}

/// Does what the options say.
///
/// # Errors
/// When the state cannot be opened, or a letter is not there.
pub async fn run(options: &Options) -> anyhow::Result<()> {
    let state = options.state.find()?;
    let foundation = Foundation::open(&state, None, options.redis_url.as_deref())?;
    act(&*foundation.log, &options.action).await
}

async fn act(log: &dyn EventLog, action: &Action) -> anyhow::Result<()> {
    match action {
        Action::List => all(log).await?.iter().try_for_each(print),
        Action::Show { id } => match dead_letters::show(log, parse(id)?).await? {
            Some(letter) => print(&letter),
            None => bail!("there is no dead letter {id}"),
        },
        Action::Redrive { ids, all: false } => {
            each(ids, async |id| dead_letters::redrive(log, id).await).await
        }
        Action::Redrive { all: true, .. } => {
            let ids: Vec<String> = all(log)
                .await?
                .into_iter()
                .map(|letter| letter.id)
                .collect();
            each(&ids, async |id| dead_letters::redrive(log, id).await).await
        }
        Action::Discard { ids } => each(ids, async |id| dead_letters::discard(log, id).await).await,
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
            bail!("there is no dead letter {id} (any more)");
        }
        println!("{id}");
    }
    Ok(())
}

fn parse(id: &str) -> anyhow::Result<EntryId> {
    id.parse().with_context(|| {
        format!("`{id}` is no id of a dead letter; `socar dead-letters list` prints them")
    })
}

fn print(letter: &DeadLetter) -> anyhow::Result<()> {
    println!("{}", serde_json::to_string(letter)?);
    Ok(())
}
