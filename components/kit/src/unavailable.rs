//! A call between contexts that brought no usable answer, as `socar:calls/types` describes it.

use crate::{breaker::BreakerOpen, change_error::ChangeError, store::StoreError};
use std::convert::Infallible;

/// Seconds until a retry after a failure of the callee's store.
const RETRY_AFTER: u64 = 1;

/// A call to another context brought no usable answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Unavailable {
    /// What happened, for people.
    pub message: String,
    /// What the call may have done in the other context.
    pub effect: Effect,
    /// Seconds after which a retry makes sense, if the other context named a time.
    pub retry_after: Option<u64>,
}

/// What a failed call may have done in the other context.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Nothing: the call was not sent, or the other context reports that it did nothing.
    None,
    /// Unknown. The other context responds, so a compensating call can follow at once.
    Unknown,
    /// Unknown, and the call ended at its timeout. A compensating call would probably wait as long.
    TimedOut,
}

impl From<BreakerOpen> for Unavailable {
    fn from(open: BreakerOpen) -> Self {
        Self {
            message: open.to_string(),
            effect: Effect::None,
            retry_after: Some(open.retry_after),
        }
    }
}

impl From<StoreError> for Unavailable {
    fn from(error: StoreError) -> Self {
        Self::failed(error.to_string())
    }
}

/// Without refusals, every error is a failure of the store.
impl From<ChangeError<Infallible>> for Unavailable {
    fn from(error: ChangeError<Infallible>) -> Self {
        match error.into_refusal() {
            Ok(refusal) => match refusal {},
            Err(unavailable) => unavailable,
        }
    }
}

impl Unavailable {
    /// A failure of the callee's own store. The effect is always unknown: a use case can fail after an earlier change of
    /// its own succeeded.
    fn failed(message: String) -> Self {
        Self {
            message,
            effect: Effect::Unknown,
            retry_after: Some(RETRY_AFTER),
        }
    }
}

impl<R> ChangeError<R> {
    /// The refusal of the domain, as the callee returns it.
    ///
    /// # Errors
    ///
    /// [`Unavailable`] for every failure of the store.
    pub fn into_refusal(self) -> Result<R, Unavailable> {
        match self {
            Self::Refused(refusal) => Ok(refusal),
            Self::Store(error) => Err(error.into()),
            Self::Contended(key) => Err(Unavailable::failed(
                ChangeError::<R>::Contended(key).to_string(),
            )),
            Self::Corrupt(key, why) => Err(Unavailable::failed(
                ChangeError::<R>::Corrupt(key, why).to_string(),
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_an_answer_and_a_failed_store_is_none() {
        assert_eq!(ChangeError::Refused(7).into_refusal(), Ok(7));
        for failed in [
            ChangeError::<()>::Store(StoreError("full".into())),
            ChangeError::Contended("car/1".into()),
        ] {
            let message = failed.to_string();
            let unavailable = failed.into_refusal().unwrap_err();
            assert_eq!(unavailable.message, message);
            assert_eq!(unavailable.effect, Effect::Unknown);
        }
    }
}
