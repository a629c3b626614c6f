//! The present state of a state machine, with the values that only this state has.

use std::time::Duration;

use super::super::config::{BreakerConfig, BreakerSettings};
use super::super::probes::Probes;
use super::super::transition::BreakerState;
use super::super::window::Window;
use crate::timestamp::Timestamp;

#[derive(Debug)]
pub(super) enum Phase {
    Closed {
        window: Window,
        consecutive_failures: u32,
    },
    Open {
        until: Timestamp,
    },
    HalfOpen(Probes),
    ForcedOpen,
    Disabled,
}

impl Phase {
    /// Closed, with an empty window.
    pub fn closed(config: &BreakerConfig) -> Self {
        Self::Closed {
            window: Window::new(config.settings().window),
            consecutive_failures: 0,
        }
    }

    pub fn state(&self) -> BreakerState {
        match self {
            Self::Closed { .. } => BreakerState::Closed,
            Self::Open { .. } => BreakerState::Open,
            Self::HalfOpen(_) => BreakerState::HalfOpen,
            Self::ForcedOpen => BreakerState::ForcedOpen,
            Self::Disabled => BreakerState::Disabled,
        }
    }

    /// For how long calls are rejected; `None` if the next call passes.
    pub fn retry_after(&self, settings: &BreakerSettings, now: Timestamp) -> Option<Duration> {
        let time = match self {
            Self::Closed { .. } | Self::Disabled => Duration::ZERO,
            Self::Open { until } => until.saturating_sub(now),
            Self::HalfOpen(probes) if probes.started < settings.probes => Duration::ZERO,
            // The probes may decide at any moment. If they fail, the breaker opens for at least its initial duration.
            Self::HalfOpen(probes) => {
                let timeout = (probes.last_start + settings.probe_timeout).saturating_sub(now);
                timeout.min(settings.open_duration.initial)
            }
            // It is unknown when the operator ends this state.
            Self::ForcedOpen => settings.open_duration.max,
        };
        (!time.is_zero()).then_some(time)
    }
}
