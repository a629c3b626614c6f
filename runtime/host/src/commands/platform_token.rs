//! `socar platform-token`: a token for one command of an operator, as the relay and other contexts send it.

use crate::cli::PlatformTokenOptions;
use crate::output::print_result;
use crate::signing_keys::signing_keys;

/// Prints a token that is valid for a minute.
///
/// # Errors
/// When there is no key, or the result cannot be written.
pub fn run(options: &PlatformTokenOptions) -> anyhow::Result<()> {
    let keys = signing_keys("--secret (or SOCAR_PLATFORM_SECRET)", &options.secret)?;
    print_result(keys.sign(&options.context, access_token::now()))
}
