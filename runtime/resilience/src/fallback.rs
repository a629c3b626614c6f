//! The fallback: something else to answer with when the service has no answer.
//!
//! It comes into play only for results that the caller's [`Fallback`] accepts, a breaker's refusal for instance, or a
//! missed deadline; and it never pretends. The answer is an [`Answer`], which says whether the service or the
//! fallback gave it, and in the latter case instead of what. A fallback that has nothing to offer leaves the result
//! as it was, so there is no error of its own.

use std::sync::Arc;
use std::task::{Context, Poll};

use tower::{Layer, Service, ServiceExt as _};

use crate::guarded::{Answering, Guarded, always_ready};

/// What else there is to answer with.
pub trait Fallback<Request, Response, Error>: Send + Sync + 'static {
    /// What must be kept of a request to answer it later; the request itself goes to the service.
    type Memo: Send;
    /// Why the fallback answers.
    type Reason: Clone + Send;
    /// What it answers with.
    type Substitute: Send;

    /// Keeps what is needed of a request.
    fn remember(&self, request: &Request) -> Self::Memo;

    /// The reason to stand in for this result, or nothing if it shall be the answer.
    fn accepts(&self, result: &Result<Response, Error>) -> Option<Self::Reason>;

    /// Answers, if there is anything to answer with.
    fn answer(
        &self,
        memo: Self::Memo,
        reason: Self::Reason,
    ) -> impl Future<Output = Option<Self::Substitute>> + Send;
}

/// An answer, and who gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer<Response, Substitute, Reason> {
    /// The service itself.
    Service(Response),
    /// The fallback.
    Fallback {
        /// What it answered.
        substitute: Substitute,
        /// Why it did, and not the service.
        reason: Reason,
    },
}

/// Puts a [`Fallback`] behind a service.
#[derive(Debug)]
pub struct FallbackLayer<F> {
    fallback: Arc<F>,
}

/// A service with something to fall back on.
#[derive(Debug)]
pub struct FallbackService<S, F> {
    inner: S,
    fallback: Arc<F>,
}

// === impl FallbackLayer ===

impl<F> FallbackLayer<F> {
    /// Falls back on this.
    pub fn new(fallback: F) -> Self {
        Self {
            fallback: Arc::new(fallback),
        }
    }
}

impl<F> Clone for FallbackLayer<F> {
    fn clone(&self) -> Self {
        Self {
            fallback: self.fallback.clone(),
        }
    }
}

impl<S, F> Layer<S> for FallbackLayer<F> {
    type Service = FallbackService<S, F>;

    fn layer(&self, inner: S) -> Self::Service {
        FallbackService {
            inner,
            fallback: self.fallback.clone(),
        }
    }
}

// === impl FallbackService ===

impl<S: Clone, F> Clone for FallbackService<S, F> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            fallback: self.fallback.clone(),
        }
    }
}

impl<S, F, Request> Service<Request> for FallbackService<S, F>
where
    S: Guarded<Request>,
    F: Fallback<Request, S::Response, S::Error>,
    Request: Send + 'static,
{
    type Response = Answer<S::Response, F::Substitute, F::Reason>;
    type Error = S::Error;
    type Future = Answering<Result<Self::Response, S::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        always_ready(context)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let Self { inner, fallback } = self.clone();
        Box::pin(async move {
            let memo = fallback.remember(&request);
            let result = inner.oneshot(request).await;
            let Some(reason) = fallback.accepts(&result) else {
                return result.map(Answer::Service);
            };
            match fallback.answer(memo, reason.clone()).await {
                Some(substitute) => Ok(Answer::Fallback { substitute, reason }),
                None => result.map(Answer::Service),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[derive(Clone, Debug, PartialEq)]
    enum Failure {
        Refused(Duration),
        Wrong,
    }

    /// Answers what was refused, if the request's number is even, with half of it.
    struct Half;

    impl Fallback<u32, u32, Failure> for Half {
        type Memo = u32;
        type Reason = Duration;
        type Substitute = String;

        fn remember(&self, request: &u32) -> u32 {
            *request
        }

        fn accepts(&self, result: &Result<u32, Failure>) -> Option<Duration> {
            match result {
                Err(Failure::Refused(retry_after)) => Some(*retry_after),
                _ => None,
            }
        }

        async fn answer(&self, memo: u32, retry_after: Duration) -> Option<String> {
            tokio::task::yield_now().await;
            memo.is_multiple_of(2)
                .then(|| format!("{} or wait {retry_after:?}", memo / 2))
        }
    }

    const SECOND: Duration = Duration::from_secs(1);

    /// Calls a service that gives this result, with a fallback behind it.
    async fn call(
        request: u32,
        result: Result<u32, Failure>,
    ) -> Result<Answer<u32, String, Duration>, Failure> {
        let service = tower::service_fn(move |_: u32| std::future::ready(result.clone()));
        FallbackLayer::new(Half)
            .layer(service)
            .oneshot(request)
            .await
    }

    #[tokio::test]
    async fn an_accepted_failure_is_answered_by_the_fallback_which_says_so() {
        let answer = call(10, Err(Failure::Refused(SECOND))).await.unwrap();
        let substitute = "5 or wait 1s".to_owned();
        assert_eq!(
            answer,
            Answer::Fallback {
                substitute,
                reason: SECOND
            }
        );
    }

    #[tokio::test]
    async fn an_answer_of_the_service_stays_its_own() {
        assert_eq!(call(10, Ok(7)).await, Ok(Answer::Service(7)));
    }

    #[tokio::test]
    async fn a_failure_of_another_kind_is_passed_on() {
        assert_eq!(call(10, Err(Failure::Wrong)).await, Err(Failure::Wrong));
    }

    #[tokio::test]
    async fn a_fallback_with_nothing_to_offer_leaves_the_failure_as_it_was() {
        let refused = Failure::Refused(SECOND);
        assert_eq!(call(11, Err(refused.clone())).await, Err(refused));
    }
}
