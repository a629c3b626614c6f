//! Periodic recovery: retire message numbers that a crash left unused. Messages need no recovery: an event whose
//! reaction failed is delivered again.

use crate::repository::MessageRepository;
use events::MessageId;
use kit::{ChangeError, Lookup, Platform, numbering::orphans};
use std::convert::Infallible;

/// Removes unused numbers from the pages, and returns how many. Idempotent.
///
/// # Errors
///
/// The failure of the store, as text; the next sweep continues.
pub async fn sweep<P: Platform>(messages: &MessageRepository<P>) -> Result<usize, String> {
    let exists = async |number| -> Result<bool, ChangeError<Infallible>> {
        let lookup = messages.find_by_number(MessageId(number)).await?;
        Ok(matches!(lookup, Lookup::Found(_)))
    };
    orphans::sweep(&messages.platform, exists)
        .await
        .map_err(|error| error.to_string())
}
