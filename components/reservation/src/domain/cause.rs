//! What caused a transition, for the timeline.

/// The cause of a transition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cause<'c> {
    /// The id of the request or event.
    pub id: &'c str,
    /// The user whose request is at the beginning, on a platform with identity.
    pub actor: Option<&'c str>,
}

/// A cause without a user.
impl<'c> From<&'c str> for Cause<'c> {
    fn from(id: &'c str) -> Self {
        Self { id, actor: None }
    }
}
