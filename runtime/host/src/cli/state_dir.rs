//! The flags that name the state directory, for the commands besides `up`.

use std::path::PathBuf;

use anyhow::bail;
use clap::Args;

use super::ApplicationSource;

/// The flags that name the state directory of a host.
#[derive(Args, Clone, Debug)]
pub struct StateDir {
    /// The manifest, or its directory.
    #[arg(
        short = 'f',
        long = "from",
        value_name = "FILE",
        default_value = "spin.toml",
        global = true
    )]
    from: PathBuf,

    /// The state directory [default: `.socar` beside the manifest].
    #[arg(long, value_name = "DIRECTORY", env = "SOCAR_STATE_DIR", global = true)]
    state_dir: Option<PathBuf>,
}

// === impl StateDir ===

impl StateDir {
    /// The state directory.
    ///
    /// # Errors
    /// When it does not exist.
    pub fn find(&self) -> anyhow::Result<PathBuf> {
        let state = self.path()?;
        if !state.is_dir() {
            bail!(
                "{} does not exist: name the state directory of a host with --state-dir",
                state.display()
            );
        }
        Ok(state)
    }

    /// The path of the state directory, which may not exist yet.
    ///
    /// # Errors
    /// When the manifest names no place for it.
    pub fn path(&self) -> anyhow::Result<PathBuf> {
        match &self.state_dir {
            Some(state) => Ok(state.clone()),
            None => Ok(ApplicationSource::of(&self.from)?.default_state_dir()),
        }
    }
}
