//! The resources of one context over HTTP.

use crate::responses::{newest_path, parse_newest, parse_record};
use http::Method;
use kit::{
    Effect, ReadError, Unavailable, records,
    spin::{RemoteContext, calls::types},
};
use serde::de::DeserializeOwned;
use std::time::Duration;

/// The longest time of one request.
const TIMEOUT: Duration = Duration::from_millis(1500);

/// The resources of one context.
pub(super) struct Resources {
    context: RemoteContext,
    /// The first segment of their paths.
    collection: &'static str,
    /// The name of their number.
    id: &'static str,
}

impl Resources {
    /// The resources in `collection` of the context `name`.
    pub const fn new(
        name: &'static str,
        url_variable: &'static str,
        collection: &'static str,
        id: &'static str,
    ) -> Self {
        Self {
            context: RemoteContext {
                name,
                url_variable,
                timeout: TIMEOUT,
            },
            collection,
            id,
        }
    }

    pub async fn newest(&self, origin: &types::Origin) -> Result<Option<u64>, ReadError> {
        let Self { collection, id, .. } = self;
        let path = newest_path(collection, id);
        let response = self.context.send(origin, Method::GET, &path, String::new());
        let newest = parse_newest(self.context.name, collection, id, &response.await?)?;
        Ok(newest)
    }

    /// The resources with these numbers, and their versions.
    pub async fn read<T: DeserializeOwned>(
        &self,
        origin: &types::Origin,
        numbers: &[u64],
    ) -> Result<Vec<(T, u64)>, ReadError> {
        records::read(numbers, async |number| {
            let path = format!("/{}/{number}", self.collection);
            let response = self.context.send(origin, Method::GET, &path, String::new());
            parse_record(self.context.name, &response.await?)
        })
        .await
    }

    /// A resource in a state that this version of the interface does not know.
    pub fn unknown_status(&self, status: &str) -> Unavailable {
        Unavailable {
            message: format!("the {} context answered `{status}`", self.context.name),
            effect: Effect::None,
            retry_after: None,
        }
    }
}
