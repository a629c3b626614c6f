//! The flags of `socar compile`.

use std::path::PathBuf;

use clap::Args;

/// The flags of `socar compile`.
#[derive(Args, Clone, Debug)]
pub struct CompileOptions {
    /// The manifest, or the directory it is in.
    #[arg(
        short = 'f',
        long = "from",
        value_name = "FILE",
        default_value = "spin.toml"
    )]
    pub from: PathBuf,

    /// The directory for the compiled components.
    #[arg(short, long, value_name = "DIRECTORY")]
    pub output: PathBuf,
}
