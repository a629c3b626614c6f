//! `socar registry`: applications in OCI registries.

use std::time::{Duration, SystemTime};

use anyhow::{Context as _, bail};
use oci::{ArtifactDetails, Reference, Registry};

use crate::application_registry;
use crate::cli::{PullOptions, PushOptions, RegistryAction, RegistryOptions};
use crate::component_build;
use crate::output::print_line;
use crate::signals::StopSignals;
use config::manifest::{App, Overrides};

/// The variable by which reproducible builds set the time.
const SOURCE_DATE_EPOCH: &str = "SOURCE_DATE_EPOCH";

/// Runs the operation and prints the name of the application by its digest.
///
/// # Errors
/// When the application is invalid or not built, or the registry cannot be used.
pub async fn run(options: &RegistryOptions) -> anyhow::Result<()> {
    match &options.action {
        RegistryAction::Push(options) => push_until_stopped(options).await,
        RegistryAction::Pull(options) => pull(options).await,
    }
}

/// Pushes, unless a signal stops it. The running build command is a process group of its own, which a signal to this
/// process does not reach: it ends with the dropped future.
async fn push_until_stopped(options: &PushOptions) -> anyhow::Result<()> {
    let mut signals = StopSignals::listen()?;
    tokio::select! {
        pushed = push(options) => pushed,
        () = signals.received() => bail!("stopped by a signal before the application was pushed"),
    }
}

async fn push(options: &PushOptions) -> anyhow::Result<()> {
    let reference = Reference::parse(&options.reference)?;
    let registry = Registry::new(&reference, application_registry::access(options.insecure))?;
    if options.build {
        let overrides = Overrides {
            without_values: true,
            ..Overrides::default()
        };
        component_build::build(&App::load(&options.from, &overrides)?).await?;
    }
    let details = ArtifactDetails {
        created: created()?,
        annotations: options.annotations.iter().cloned().collect(),
    };
    let manifest = options.from.clone();
    let packing = tokio::task::spawn_blocking(move || oci::lock(&manifest, details));
    let artifact = packing.await.context("packing panicked")??;
    oci::push(&registry, &reference, &artifact).await?;
    print_line(reference.at(&artifact.digest));
    Ok(())
}

async fn pull(options: &PullOptions) -> anyhow::Result<()> {
    let reference = Reference::parse(&options.reference)?;
    let pulled =
        application_registry::pull(&reference, &options.state_dir, options.insecure).await?;
    print_line(pulled.reference);
    Ok(())
}

/// The time in the annotations: now, or that of `SOURCE_DATE_EPOCH`, so that the same build has the same digest.
fn created() -> anyhow::Result<SystemTime> {
    let Some(seconds) = std::env::var_os(SOURCE_DATE_EPOCH) else {
        return Ok(SystemTime::now());
    };
    let seconds = seconds.to_str().and_then(|text| text.trim().parse().ok());
    let time = seconds
        .and_then(|seconds| SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds)));
    time.with_context(|| {
        format!(
            "{SOURCE_DATE_EPOCH} is not a number of seconds since 1970: correct it, or unset it"
        )
    })
}
