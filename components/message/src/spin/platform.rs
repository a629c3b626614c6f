//! The platform of a context that announces nothing: it has no access to the event log, and the component does not
//! import it.

use events::Timestamp;
use kit::{
    LogError, Platform,
    spin::{SpinPlatform, SpinStore},
};
use std::time::Duration;

/// Stores and clock of this component.
pub struct PlatformWithoutLog(SpinPlatform);

impl PlatformWithoutLog {
    /// The stores that the manifest grants to the message context.
    pub fn new() -> Self {
        Self(SpinPlatform::new("message"))
    }
}

impl Platform for PlatformWithoutLog {
    type Store = SpinStore;

    fn state(&self) -> &SpinStore {
        self.0.state()
    }

    fn outbox(&self) -> &SpinStore {
        self.0.outbox()
    }

    async fn append(&self, _: &str, _: &str) -> Result<(), LogError> {
        Err(LogError("messages announce nothing".into()))
    }

    fn now(&self) -> Timestamp {
        self.0.now()
    }

    fn host(&self) -> String {
        self.0.host()
    }

    fn unique_id(&self) -> String {
        self.0.unique_id()
    }

    async fn sleep(&self, duration: Duration) {
        self.0.sleep(duration).await;
    }
}
