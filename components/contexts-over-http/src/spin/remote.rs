//! One request to another context, with a timeout and, where the host has no breakers, a circuit breaker.

use http::Method;
use kit::{
    Breaker, Effect, Unavailable,
    http::Response,
    spin::{CallError, HttpClient, SpinPlatform, calls::types, host_has_breakers, variable},
};
use std::time::Duration;

/// The variable that names the caller's key-value store for the state of the breakers; without it there are none.
const BREAKER_STORE: &str = "breaker_store";

/// Another context, as callers reach it over HTTP.
pub(super) struct Remote {
    /// Its name in error messages, and the name of its breaker.
    pub name: &'static str,
    /// The variable that holds its base URL.
    pub url_variable: &'static str,
    /// The longest time of one call.
    pub timeout: Duration,
}

/// One request.
pub(super) struct Call<'a> {
    pub origin: &'a types::Origin,
    pub method: Method,
    pub path: String,
    /// JSON, or empty.
    pub body: String,
}

impl Remote {
    /// Makes a call and returns what `parse` makes of the response.
    ///
    /// # Errors
    ///
    /// [`Unavailable`] when the breaker is open, when there is no response in time, and what `parse` returns.
    pub async fn call<T>(
        &self,
        call: Call<'_>,
        parse: impl FnOnce(&Response) -> Result<T, Unavailable>,
    ) -> Result<T, Unavailable> {
        let answer = async { parse(&self.send(call).await?) };
        match self.breaker().await {
            Some(breaker) => breaker.call(answer).await,
            None => answer.await,
        }
    }

    async fn send(&self, call: Call<'_>) -> Result<Response, Unavailable> {
        let url = format!("{}{}", variable(self.url_variable).await, call.path);
        let deadline = call.origin.deadline.map(Duration::from_millis);
        let timeout = deadline.map_or(self.timeout, |left| left.min(self.timeout));
        HttpClient::new(timeout)
            .call(call.method, &url, &call.origin.headers(), call.body)
            .await
            .map_err(|error| self.no_response(&error))
    }

    async fn breaker(&self) -> Option<Breaker<SpinPlatform>> {
        if host_has_breakers().await {
            return None;
        }
        let store = variable(BREAKER_STORE).await;
        (!store.is_empty()).then(|| Breaker::new(SpinPlatform::new(&store), self.name))
    }

    fn no_response(&self, error: &CallError) -> Unavailable {
        let (retry_after, effect) = match error {
            CallError::NotSent { retry_after, .. } => (*retry_after, Effect::None),
            CallError::TimedOut(_) => (None, Effect::TimedOut),
            CallError::Failed(_) => (None, Effect::Unknown),
        };
        Unavailable {
            message: format!("the {} context: {error}", self.name),
            retry_after,
            effect,
        }
    }
}
