//! `socar identity-keys`: the public keys that verify the tokens of `socar token`, for stock Spin.

use crate::cli::IdentityKeysOptions;
use crate::identity::local;
use crate::output::print_line;

/// Prints the public keys as a JSON Web Key Set.
///
/// # Errors
/// When the key cannot be read or created.
pub fn run(options: &IdentityKeysOptions) -> anyhow::Result<()> {
    print_line(local::signing_key(&options.state.path()?)?.public_set());
    Ok(())
}
