//! `socar platform-token`: a token for one command of an operator, as the relay and other contexts send it.

use anyhow::Context as _;
use platform_token::SigningKeys;

use crate::cli::PlatformTokenOptions;
use crate::output::print_result;

/// Prints a token that is valid for a minute.
///
/// # Errors
/// When there is no key, or the result cannot be written.
pub fn run(options: &PlatformTokenOptions) -> anyhow::Result<()> {
    let keys = SigningKeys::read(&options.secret);
    let keys = keys.context("--secret (or SOCAR_PLATFORM_SECRET) is empty")?;
    print_result(keys.sign(&options.context, access_token::now()))
}
