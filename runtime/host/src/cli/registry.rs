//! The flags of `socar registry`: those of `spin registry` where they mean the same.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// The flags of `socar registry`.
#[derive(Args, Clone, Debug)]
pub struct RegistryOptions {
    /// The operation.
    #[command(subcommand)]
    pub action: RegistryAction,
}

/// The operations on a registry.
#[derive(Clone, Debug, Subcommand)]
pub enum RegistryAction {
    /// Store the application in a registry, so that stock Spin and socar can run it, and print its name by digest.
    Push(PushOptions),
    /// Fetch an application for a later `socar up -f REFERENCE`, and print its name by digest.
    Pull(PullOptions),
}

/// The flags of `socar registry push`.
#[derive(Args, Clone, Debug)]
pub struct PushOptions {
    /// The name in the registry, such as `registry.example.com/team/app:1.0`.
    pub reference: String,

    /// The manifest, or the directory it is in.
    #[arg(
        short = 'f',
        long = "from",
        visible_alias = "file",
        value_name = "FILE",
        default_value = "spin.toml"
    )]
    pub from: PathBuf,

    /// Build the components first, as the manifest says.
    #[arg(long)]
    pub build: bool,

    /// An annotation of the artifact; can be given several times.
    #[arg(long = "annotation", value_name = "NAME=VALUE", value_parser = annotation)]
    pub annotations: Vec<(String, String)>,

    /// Allow a registry on this machine without TLS.
    #[arg(short = 'k', long)]
    pub insecure: bool,
}

/// The flags of `socar registry pull`.
#[derive(Args, Clone, Debug)]
pub struct PullOptions {
    /// The name in the registry, with a tag or a digest.
    pub reference: String,

    /// The state directory of the host that will run the application.
    #[arg(
        long,
        value_name = "DIRECTORY",
        env = "SOCAR_STATE_DIR",
        default_value = ".socar"
    )]
    pub state_dir: PathBuf,

    /// Allow a registry on this machine without TLS.
    #[arg(short = 'k', long)]
    pub insecure: bool,
}

fn annotation(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("write NAME=VALUE".to_owned()),
    }
}
