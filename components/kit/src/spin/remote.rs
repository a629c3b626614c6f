//! Another context over HTTP: in-process by service chaining, or at the address that a variable names.
//!
//! A command that crosses a network takes the path of [`context_calls`], and a platform token for the called context.
//! A command that is a POST has an `Idempotency-Key`.

use super::{
    calls::types,
    client::{CallError, HttpClient},
    now,
    variables::variable,
};
use crate::{
    Effect, Unavailable,
    http::{Response, context_calls},
};
use http::{Method, header::AUTHORIZATION};
use platform_token::SigningKeys;
use std::time::Duration;

/// Another context, as a component reaches it over HTTP.
#[derive(Clone, Copy, Debug)]
pub struct RemoteContext {
    /// Its name in error messages and in platform tokens: the id of its component.
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
        let base = variable(self.url_variable).await;
        let mut headers = origin.headers().to_vec();
        let crosses_network = context_calls::crosses_network(&base);
        let keys = SigningKeys::read(&variable(context_calls::TOKEN).await);
        let path = match context_calls::network_path(path) {
            Some(path) if crosses_network => {
                keys.as_ref().ok_or_else(|| self.without_token(&base))?;
                path
            }
            _ => path.to_owned(),
        };
        // A platform with identity asks for a token for everything else, too. On stock Spin, so does a context of this
        // application.
        let key = context_calls::idempotency_key(&method, &path, &body);
        if let Some(key) = &key {
            headers.push(("idempotency-key", key));
        }
        let authorization = keys.map(|keys| format!("Bearer {}", keys.sign(self.name, now())));
        if let Some(authorization) = &authorization {
            headers.push((AUTHORIZATION.as_str(), authorization));
        }
        let url = format!("{}{path}", base.trim_end_matches('/'));
        let deadline = origin.deadline.map(Duration::from_millis);
        let timeout = deadline.map_or(self.timeout, |left| left.min(self.timeout));
        HttpClient::new(timeout)
            .call(method, &url, &headers, body)
            .await
            .map_err(|error| self.no_response(&error))
    }

    fn without_token(&self, url: &str) -> Unavailable {
        Unavailable {
            message: format!(
                "the {} context at {url} requires a token: set the variable {} here and there",
                self.name,
                context_calls::TOKEN
            ),
            retry_after: None,
            effect: Effect::None,
        }
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
