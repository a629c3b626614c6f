//! Where the state of a platform is, for the commands that look at it from beside.

use std::path::PathBuf;

use anyhow::bail;
use clap::Args;

/// The flags that name a platform by its state.
#[derive(Args, Clone, Debug)]
pub struct StateDir {
    /// The manifest, or the directory it is in: state is beside it.
    #[arg(
        short = 'f',
        long = "from",
        value_name = "FILE",
        default_value = "spin.toml",
        global = true
    )]
    from: PathBuf,

    /// Where state is kept; `.socar` beside the manifest if not given.
    #[arg(long, value_name = "DIRECTORY", global = true)]
    state_dir: Option<PathBuf>,
}

// === impl StateDir ===

impl StateDir {
    /// The directory.
    ///
    /// # Errors
    /// When it is not there.
    pub fn find(&self) -> anyhow::Result<PathBuf> {
        let state = match &self.state_dir {
            Some(state) => state.clone(),
            None => {
                let manifest = self.from.is_file().then(|| self.from.parent()).flatten();
                manifest.unwrap_or(&self.from).join(".socar")
            }
        };
        if !state.is_dir() {
            bail!(
                "{} does not exist: name the state of a platform that has run with --state-dir",
                state.display()
            );
        }
        Ok(state)
    }
}
