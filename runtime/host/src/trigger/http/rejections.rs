//! Requests and connections that the listener rejects, counted by reason.
//!
//! A request that the HTTP/2 implementation rejects by itself, for too many header fields, is not counted here.

use metrics::counter;

use crate::problem::Problem;

/// Why the listener rejected a request or a connection: the label `reason` of the metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RejectionReason {
    /// The head or the body did not arrive in time.
    RequestTimeout,
    /// The body is longer than the limit.
    PayloadTooLarge,
    /// The body ended early.
    BodyIncomplete,
    /// The head is longer than the limit, or has too many fields.
    HeadTooLarge,
    /// The request is not HTTP, or contradicts itself.
    Malformed,
    /// The limit of connections, or of bytes for bodies, is reached.
    Crowded,
    /// One client sends too many requests.
    RateLimited,
    /// One client sends too many bytes to be kept.
    ByteLimited,
}

const ALL: [RejectionReason; 8] = [
    RejectionReason::RequestTimeout,
    RejectionReason::PayloadTooLarge,
    RejectionReason::BodyIncomplete,
    RejectionReason::HeadTooLarge,
    RejectionReason::Malformed,
    RejectionReason::Crowded,
    RejectionReason::RateLimited,
    RejectionReason::ByteLimited,
];

/// Registers the metric with every reason, before the first rejection.
pub fn register_metrics() {
    ALL.iter().for_each(|reason| reason.add(0));
}

// === impl RejectionReason ===

impl RejectionReason {
    /// The reason behind a problem; `None` if the listener did not cause it.
    pub fn of(problem: &Problem) -> Option<Self> {
        match problem {
            Problem::RequestTimeout => Some(Self::RequestTimeout),
            Problem::PayloadTooLarge { .. } => Some(Self::PayloadTooLarge),
            Problem::BodyIncomplete => Some(Self::BodyIncomplete),
            Problem::BadRequest => Some(Self::Malformed),
            Problem::TooManyClients => Some(Self::Crowded),
            Problem::TooManyRequests { .. } | Problem::TooManyInFlight { .. } => {
                Some(Self::RateLimited)
            }
            Problem::TooManyBytes { .. } => Some(Self::ByteLimited),
            _ => None,
        }
    }

    /// The reason for which the HTTP/1 implementation ended a connection; `None` if the client merely disconnected.
    pub fn of_connection(error: &(dyn std::error::Error + 'static)) -> Option<Self> {
        let error = error.downcast_ref::<hyper::Error>()?;
        match (error.is_parse_too_large(), error.is_parse()) {
            (true, _) => Some(Self::HeadTooLarge),
            (false, true) => Some(Self::Malformed),
            (false, false) => None,
        }
    }

    /// Counts one rejection.
    pub fn count(self) {
        self.add(1);
    }

    fn add(self, rejections: u64) {
        counter!("socar_listener_refused_total", "reason" => self.as_str()).increment(rejections);
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::RequestTimeout => "request-timeout",
            Self::PayloadTooLarge => "payload-too-large",
            Self::BodyIncomplete => "body-incomplete",
            Self::HeadTooLarge => "head-too-large",
            Self::Malformed => "malformed",
            Self::Crowded => "crowded",
            Self::RateLimited => "rate-limited",
            Self::ByteLimited => "byte-limited",
        }
    }
}
