//! Instances that handle events.

use std::future::poll_fn;
use std::sync::Arc;

use http_conventions::delivery::{REJECTED, UNAVAILABLE};
use wasmtime::Trap;
use wasmtime::component::InstancePre;

use super::call_pool::CallPool;
use crate::call::Call;
use crate::capability::InstanceState;
use crate::capability::bindings::PlatformIndices as GuestIndices;
use crate::capability::bindings::spin::redis::redis::Error;

/// Why an event was not handled.
#[derive(Debug, thiserror::Error)]
pub enum EventError {
    /// The guest returned an error.
    #[error("component `{component}` returned an error: {reason}")]
    Rejected {
        /// The component.
        component: Arc<str>,
        /// The error of the guest.
        reason: String,
    },
    /// The guest returned `type-error`, or an error that begins with [`REJECTED`]: no repetition makes the event
    /// acceptable.
    #[error("component `{component}` cannot read the event: {reason}")]
    Malformed {
        /// The component.
        component: Arc<str>,
        /// The error of the guest.
        reason: String,
    },
    /// The guest returned an error that begins with [`UNAVAILABLE`]: something that it needs is unavailable.
    #[error("component `{component}` cannot work now: {reason}")]
    Unavailable {
        /// The component.
        component: Arc<str>,
        /// The error of the guest.
        reason: String,
    },
    /// The guest did not finish before its deadline.
    #[error("component `{component}` exceeded its deadline")]
    DeadlineExceeded {
        /// The component.
        component: Arc<str>,
    },
    /// A fault injection dropped the event.
    #[error("a fault injection dropped an event for component `{component}`")]
    Dropped {
        /// The component.
        component: Arc<str>,
    },
    /// No instance is available: the memory is used up, or it does not start.
    #[error("component `{component}` has no free instance")]
    NoInstance {
        /// The component.
        component: Arc<str>,
        /// The error of Wasmtime.
        source: anyhow::Error,
    },
    /// The guest trapped or exited.
    #[error("component `{component}` failed")]
    Failed {
        /// The component.
        component: Arc<str>,
        /// The error of Wasmtime.
        source: anyhow::Error,
    },
}

/// Handles the events of one component.
pub struct EventPool {
    calls: Arc<CallPool>,
    guest: GuestIndices,
}

// === impl EventError ===

impl EventError {
    /// The kind of the error, for the span of the event.
    pub fn error_type(&self) -> &'static str {
        match self {
            Self::Rejected { .. } => "rejected",
            Self::Malformed { .. } => "malformed",
            Self::Unavailable { .. } => "unavailable",
            Self::DeadlineExceeded { .. } => "deadline-exceeded",
            Self::Dropped { .. } => "dropped",
            Self::NoInstance { .. } => "no-instance",
            Self::Failed { .. } => "component-trapped",
        }
    }
}

// === impl EventPool ===

impl EventPool {
    /// Handles events with the instances of a pool.
    ///
    /// # Errors
    /// When the component does not export `spin:redis/inbound-redis@3.0.0`.
    pub fn new(
        calls: Arc<CallPool>,
        instance: &InstancePre<InstanceState>,
    ) -> wasmtime::Result<Self> {
        Ok(Self {
            calls,
            guest: GuestIndices::new(instance)?,
        })
    }

    /// Handles one event.
    ///
    /// # Errors
    /// See [`EventError`]. The instance is dropped unless the guest returned an error itself.
    pub async fn handle(&self, call: Call, payload: Vec<u8>) -> Result<(), EventError> {
        let component = || self.calls.component().clone();
        let failed = |error: wasmtime::Error| EventError::Failed {
            component: component(),
            source: error.into(),
        };
        let no_instance = |error: wasmtime::Error| match error.is::<Trap>() {
            true => failed(error),
            false => EventError::NoInstance {
                component: component(),
                source: error.into(),
            },
        };
        let deadline = call.deadline;
        let mut pooled = self.calls.begin(call).await.map_err(no_instance)?;
        let guest = self.guest.load(&mut pooled.store, &pooled.instance);
        let guest = guest.map_err(failed)?;
        let throttle = pooled.store.data().cpu_throttle().clone();
        let work = pooled.store.run_concurrent(async |accessor| {
            let answer = guest
                .spin_redis_inbound_redis()
                .call_handle_message(accessor, payload)
                .await;
            poll_fn(|cx| accessor.poll_no_interesting_tasks(cx)).await;
            answer
        });
        let answer = tokio::time::timeout_at(deadline.into(), throttle.watch(work))
            .await
            .map_err(|_| EventError::DeadlineExceeded {
                component: component(),
            })?
            .and_then(|answer| answer)
            .map_err(failed)?;
        self.calls.release(pooled);
        answer.map_err(|error| match error {
            Error::TypeError => EventError::Malformed {
                component: component(),
                reason: error.to_string(),
            },
            Error::Other(reason) if reason.starts_with(REJECTED) => EventError::Malformed {
                component: component(),
                reason,
            },
            Error::Other(reason) if reason.starts_with(UNAVAILABLE) => EventError::Unavailable {
                component: component(),
                reason,
            },
            Error::Other(reason) => EventError::Rejected {
                component: component(),
                reason,
            },
            Error::InvalidAddress | Error::TooManyConnections => EventError::Rejected {
                component: component(),
                reason: error.to_string(),
            },
        })
    }
}
