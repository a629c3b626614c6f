//! The configuration of the application: the manifest and the runtime configuration.

use config::manifest::{App, Environment, Overrides};
use config::runtime_config::RuntimeConfig;

use crate::cli::UpOptions;

/// Everything that a reload reads again.
pub struct AppConfig {
    /// The checked manifest.
    pub app: App,
    /// The runtime configuration.
    pub runtime: RuntimeConfig,
}

// === impl AppConfig ===

impl AppConfig {
    /// Reads and checks the files that the options name. The components need not be built yet.
    ///
    /// # Errors
    /// When a file is missing or wrong; the message has the key and the remedy.
    pub fn read(options: &UpOptions) -> anyhow::Result<Self> {
        let runtime = RuntimeConfig::load(options.runtime_config_file.as_deref())?;
        let overrides = Overrides {
            variables: options.variables.clone(),
            providers: runtime.variables_providers.clone(),
            environment: Environment::from_process(),
            components: options.components.clone(),
            policies: options.policies.clone(),
        };
        let app = App::load(&options.from, &overrides)?;
        runtime.check_labels(&app)?;
        Ok(Self { app, runtime })
    }
}
