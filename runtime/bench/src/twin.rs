//! The native twin: the same journey in one ordinary program, as the measure of what the platform costs.
//!
//! The twin has the same resources, tables and effects: a reservation is stored, holds its car and is paid in one
//! transaction, which also writes its events to an outbox; the events then confirm the reservation, book the car, write the
//! message and update the row of the view. It has neither components nor deadlines, breakers, idempotency keys or event
//! consumers that can fail alone.
//!
//! It runs as a process of its own (`bench --serve-twin DIRECTORY`), so that its processor time and memory are counted as
//! those of the platform.

mod answer;
mod server;
mod store;
mod tables;

use std::path::Path;
use std::process::Stdio;

use anyhow::Context as _;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use super::connection::Target;
use super::platform::StateDirectory;
use super::process::Process;

pub use server::serve;

/// A running twin; dropping it kills the process and removes its database.
pub struct Twin {
    _child: Child,
    id: u32,
    target: Target,
    _directory: StateDirectory,
}

// === impl Twin ===

impl Twin {
    /// Starts the twin with an empty database on a free port.
    ///
    /// # Errors
    /// When the process ends before it serves requests.
    pub async fn start() -> anyhow::Result<Self> {
        let directory = StateDirectory::create()?;
        let mut child = command(directory.path())?
            .spawn()
            .context("cannot start the twin")?;
        let id = child.id().context("the twin ended at once")?;
        let output = child.stdout.take().context("the twin has no output")?;
        let mut lines = BufReader::new(output).lines();
        let url = lines.next_line().await?.context("the twin did not start")?;
        Ok(Self {
            _child: child,
            id,
            target: Target::parse(url.trim())?,
            _directory: directory,
        })
    }

    /// Returns the address at which it serves requests.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// Returns its process.
    pub fn process(&self) -> Process {
        Process::of(self.id)
    }
}

fn command(directory: &Path) -> anyhow::Result<Command> {
    let mut command = Command::new(std::env::current_exe().context("cannot find this program")?);
    command
        .arg("--serve-twin")
        .arg(directory)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true);
    Ok(command)
}
