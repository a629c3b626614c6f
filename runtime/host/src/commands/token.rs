//! `socar token`: an access token for a host on this machine.

use crate::cli::TokenOptions;
use crate::identity::local;
use crate::output::print_result;

/// Prints a token, signed by the key in the state directory.
///
/// # Errors
/// When the key cannot be read or created, or the result cannot be written.
pub fn run(options: &TokenOptions) -> anyhow::Result<()> {
    let key = local::signing_key(&options.state.path()?)?;
    let token = local::token(&key, options.role, &options.subject, options.expires)?;
    print_result(token)
}
