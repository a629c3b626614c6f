//! Another context over HTTP: in-process by service chaining, or at the address that a variable names.

use super::{
    calls::types,
    client::{CallError, HttpClient},
    variables::variable,
};
use crate::{Effect, Unavailable, http::Response};
use http::Method;
use std::time::Duration;

/// Another context, as a component reaches it over HTTP.
#[derive(Clone, Copy, Debug)]
pub struct RemoteContext {
    /// Its name in error messages.
    pub name: &'static str,
    /// The variable that holds its base URL.
    pub url_variable: &'static str,
    /// The longest time of one request. The deadline of the caller can shorten it.
    pub timeout: Duration,
}

impl RemoteContext {
    /// Sends one request to `path` and returns the response, whatever its status. `body` is JSON, or empty.
    ///
    /// # Errors
    ///
    /// [`Unavailable`] when there is no response in time.
    pub async fn send(
        &self,
        origin: &types::Origin,
        method: Method,
        path: &str,
        body: String,
    ) -> Result<Response, Unavailable> {
        let url = format!("{}{path}", variable(self.url_variable).await);
        let deadline = origin.deadline.map(Duration::from_millis);
        let timeout = deadline.map_or(self.timeout, |left| left.min(self.timeout));
        HttpClient::new(timeout)
            .call(method, &url, &origin.headers(), body)
            .await
            .map_err(|error| self.no_response(&error))
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
