//! Time as a plain value.

use std::time::Duration;

/// The time since an origin that the owner of the value chooses, such as its creation or the Unix epoch.
pub(crate) type Timestamp = Duration;
