//! The configuration of the application: the manifest, from a file or a registry, and the runtime configuration.

use std::path::PathBuf;

use anyhow::Context as _;
use config::manifest::{App, DOTENV, Environment, Overrides, VariablesProvider};
use config::runtime_config::RuntimeConfig;

use tokio::runtime::Handle;
use tracing::warn;

use crate::application_registry;
use crate::cli::{ApplicationSource, UpOptions};

/// Everything that a reload reads again.
pub struct AppConfig {
    /// The checked manifest.
    pub app: App,
    /// The runtime configuration.
    pub runtime: RuntimeConfig,
    /// The absolute path of the state directory.
    pub state_dir: PathBuf,
    /// The `.env` files that were there.
    pub dotenv_files: Vec<PathBuf>,
}

// === impl AppConfig ===

impl AppConfig {
    /// Reads and checks what the options name. The components need not be built yet, and those of a registry are in the
    /// state directory afterwards.
    ///
    /// # Errors
    /// When a file is missing or wrong, or a registry cannot be used; the message has the remedy.
    pub async fn read(options: UpOptions) -> anyhow::Result<Self> {
        let runtime = Handle::current();
        // A pipe without a writer, or a file system that hangs, holds up the thread that reads.
        let reading =
            tokio::task::spawn_blocking(move || runtime.block_on(Self::read_here(&options)));
        reading
            .await
            .context("reading the configuration panicked")?
    }

    async fn read_here(options: &UpOptions) -> anyhow::Result<Self> {
        let file = options.runtime_config_file.as_deref();
        let runtime = RuntimeConfig::load(file)?;
        if let Some(file) = file.filter(|file| RuntimeConfig::is_absent(file)) {
            let file = file.display();
            warn!(%file, "there is no runtime configuration: the stores are the default ones");
        }
        let source = ApplicationSource::of(&options.from)?;
        let state_dir = options
            .state_dir
            .clone()
            .or_else(|| runtime.state_dir.clone());
        let state_dir = state_dir.unwrap_or_else(|| source.default_state_dir());
        let state_dir = std::path::absolute(state_dir)?;
        let manifest = match source {
            ApplicationSource::Manifest(manifest) => manifest,
            ApplicationSource::Registry(reference) => {
                if options.build {
                    warn!("--build has no effect: the components of a registry are built");
                }
                let pull = application_registry::pull(&reference, &state_dir, options.insecure);
                pull.await?.manifest
            }
        };
        let overrides = Overrides {
            variables: options.variables.clone(),
            providers: runtime.variables_providers.clone(),
            environment: Environment::from_process(),
            components: options.components.clone(),
            policies: options.policies.clone(),
            without_values: false,
        };
        let dotenv_files = dotenv_files(&runtime);
        let app = App::load(&manifest, &overrides)?;
        runtime.check_labels(&app)?;
        Ok(Self {
            app,
            runtime,
            state_dir,
            dotenv_files,
        })
    }
}

/// The `.env` files that are there.
fn dotenv_files(runtime: &RuntimeConfig) -> Vec<PathBuf> {
    let of_providers = runtime
        .variables_providers
        .iter()
        .filter_map(|it| match it {
            VariablesProvider::Environment { dotenv, .. } => dotenv.clone(),
            VariablesProvider::Static(_) => None,
        });
    let files = of_providers.chain([DOTENV.into()]);
    files.filter(|file| file.exists()).collect()
}
