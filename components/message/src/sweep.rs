//! What time alone must finish: numbers that a crash took. Messages themselves need no sweep, for
//! an event that did not lead to one is delivered again.

use crate::Messages;
use events::MessageId;
use kit::{ChangeError, Lookup, Platform, numbering::orphans};
use std::convert::Infallible;

/// Takes numbers that no message will have out of every page, and returns how many they were.
///
/// # Errors
///
/// The store's silence, as text: the next sweep tries again.
pub async fn sweep<P: Platform>(messages: &Messages<P>) -> Result<usize, String> {
    let exists = async |number| -> Result<bool, ChangeError<Infallible>> {
        Ok(matches!(
            messages.follow(MessageId(number)).await?,
            Lookup::Found(_)
        ))
    };
    orphans::sweep(&messages.platform, exists)
        .await
        .map_err(|error| error.to_string())
}
