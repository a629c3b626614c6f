//! One HTTP call to another context: in-process by service chaining, or to the address that a variable names.

use ::http::Method;
use kit::{
    Effect, Origin, Unavailable,
    http::Response,
    spin::{CallError, HttpClient, variable},
};
use std::time::Duration;

/// Another context, as this component calls it.
pub(super) struct Remote {
    /// Its name in error messages.
    pub name: &'static str,
    /// The variable that holds its base URL.
    pub url_variable: &'static str,
    /// The timeout of one call.
    pub timeout: Duration,
}

impl Remote {
    /// Sends one request to `path` and returns the response, whatever its status.
    ///
    /// # Errors
    ///
    /// [`Unavailable`] when there is no response within the timeout.
    pub async fn call(
        &self,
        origin: &Origin,
        method: Method,
        path: &str,
        body: String,
    ) -> Result<Response, Unavailable> {
        let url = format!("{}{path}", variable(self.url_variable).await);
        HttpClient::new(self.timeout)
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
