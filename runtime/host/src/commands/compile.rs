//! `socar compile`: compiles the components of an application, for hosts that start with `--compiled-dir`.

use crate::cli::CompileOptions;
use crate::compiled_ahead::CompiledAhead;
use crate::output::print_line;
use config::manifest::{App, Environment, Overrides};

/// Compiles every component and prints one line for each.
///
/// # Errors
/// When the manifest is wrong, a component is missing or wrong, or the directory cannot be written.
pub fn run(options: &CompileOptions) -> anyhow::Result<()> {
    let overrides = Overrides {
        environment: Environment::from_process(),
        ..Overrides::default()
    };
    let app = App::load(&options.from, &overrides)?;
    app.check_sources()?;
    let ahead = CompiledAhead::new(options.output.clone())?;
    for compiled in ahead.compile(&app)? {
        print_line(format_args!(
            "{}: {} KiB",
            compiled.id,
            compiled.length >> 10
        ));
    }
    Ok(())
}
