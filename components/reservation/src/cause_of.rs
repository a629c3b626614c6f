//! The cause of a transition, from the origin of a call.

use crate::domain::Cause;
use kit::Origin;

/// The cause that the timeline shows.
pub fn cause_of(origin: &Origin) -> Cause<'_> {
    Cause {
        id: &origin.causation_id,
        actor: origin.actor.as_deref(),
    }
}
