//! What time alone must finish: events that a crash left unpublished.

use crate::Fleet;
use events::CAR_STREAM;
use kit::{Platform, outbox};

/// Publishes what is left over.
///
/// # Errors
///
/// The store's or the log's silence, as text: the next sweep tries again.
pub async fn sweep<P: Platform>(fleet: &Fleet<P>) -> Result<outbox::Swept, String> {
    outbox::sweep(&fleet.platform, CAR_STREAM).await
}
