//! What time alone must finish: numbers that a crash took. MessageRepository themselves need no sweep, for
//! an event that did not lead to one is delivered again.

use crate::MessageRepository;
use events::MessageId;
use kit::{ChangeError, Lookup, Platform, numbering::orphans};
use std::convert::Infallible;

/// Takes numbers that no message will have out of every page, and returns how many they were.
///
/// # Errors
///
/// The store's silence, as text: the next sweep tries again.
pub async fn sweep<P: Platform>(messages: &MessageRepository<P>) -> Result<usize, String> {
    let exists = async |number| -> Result<bool, ChangeError<Infallible>> {
        Ok(matches!(
            messages.find_by_number(MessageId(number)).await?,
            Lookup::Found(_)
        ))
    };
    orphans::sweep(&messages.platform, exists)
        .await
        .map_err(|error| error.to_string())
}
