//! `socar identity-keys`: the public keys that verify the tokens of `socar token`, for stock Spin.

use crate::cli::IdentityKeysOptions;
use crate::identity::local;
use crate::output::print_result;

/// Prints the public keys as a JSON Web Key Set.
///
/// # Errors
/// When the key cannot be read or created, or the result cannot be written.
pub fn run(options: &IdentityKeysOptions) -> anyhow::Result<()> {
    print_result(local::signing_key(&options.state.path()?)?.public_set())
}
