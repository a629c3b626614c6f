//! Whom the listener sends away: a request that is too long, too slow or broken, a client too many.
//!
//! A request that HTTP/2 refuses by itself, for too many headers, is not seen here.

use metrics::counter;

use crate::problem::Problem;

/// Why somebody is sent away, as it is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The head or the body did not come in time.
    RequestTimeout,
    /// The body is too long.
    PayloadTooLarge,
    /// The body broke off.
    BodyIncomplete,
    /// The head is too long, or has too many fields.
    HeadTooLarge,
    /// It is no HTTP, or contradicts itself.
    Malformed,
    /// As many as there is room for are there already.
    Crowded,
}

const ALL: [Reason; 6] = [
    Reason::RequestTimeout,
    Reason::PayloadTooLarge,
    Reason::BodyIncomplete,
    Reason::HeadTooLarge,
    Reason::Malformed,
    Reason::Crowded,
];

/// Shows every number, even if nobody has been sent away.
pub fn show() {
    ALL.iter().for_each(|reason| reason.add(0));
}

// === impl Reason ===

impl Reason {
    /// What is wrong with a request, if it was the listener who did not let it in.
    pub fn of(problem: &Problem) -> Option<Self> {
        match problem {
            Problem::RequestTimeout => Some(Self::RequestTimeout),
            Problem::PayloadTooLarge { .. } => Some(Self::PayloadTooLarge),
            Problem::BodyIncomplete => Some(Self::BodyIncomplete),
            Problem::BadRequest => Some(Self::Malformed),
            Problem::Crowded => Some(Self::Crowded),
            _ => None,
        }
    }

    /// What was wrong with a connection that HTTP/1 has given up.
    pub fn of_connection(error: &(dyn std::error::Error + 'static)) -> Option<Self> {
        let error = error.downcast_ref::<hyper::Error>()?;
        match (error.is_parse_too_large(), error.is_parse()) {
            (true, _) => Some(Self::HeadTooLarge),
            (false, true) => Some(Self::Malformed),
            (false, false) => None,
        }
    }

    /// One more.
    pub fn count(self) {
        self.add(1);
    }

    fn add(self, times: u64) {
        counter!("socar_listener_refused_total", "reason" => self.as_str()).increment(times);
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::RequestTimeout => "request-timeout",
            Self::PayloadTooLarge => "payload-too-large",
            Self::BodyIncomplete => "body-incomplete",
            Self::HeadTooLarge => "head-too-large",
            Self::Malformed => "malformed",
            Self::Crowded => "crowded",
        }
    }
}
