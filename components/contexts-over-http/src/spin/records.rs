//! The `records` of car, reservation and payment over HTTP: one request a number.

mod car;
mod payment;
mod reservation;

use super::remote::{Call, Remote};
use crate::records::{newest_path, parse_newest, parse_record};
use http::Method;
use kit::{ReadError, Unavailable, records, spin::calls::types};
use serde::de::DeserializeOwned;
use std::time::Duration;

/// The longest time of one request.
const TIMEOUT: Duration = Duration::from_millis(1500);

/// The resources of one context.
struct Resources {
    remote: Remote,
    /// The first segment of their paths.
    collection: &'static str,
    /// The name of their number.
    id: &'static str,
}

impl Resources {
    /// The resources in `collection` of the context `name`.
    const fn new(
        name: &'static str,
        url_variable: &'static str,
        collection: &'static str,
        id: &'static str,
    ) -> Self {
        Self {
            remote: Remote {
                name,
                url_variable,
                timeout: TIMEOUT,
            },
            collection,
            id,
        }
    }

    async fn newest(&self, origin: &types::Origin) -> Result<Option<u64>, ReadError> {
        let Self { collection, id, .. } = self;
        let call = get(origin, newest_path(collection, id));
        let name = self.remote.name;
        let newest = |response: &_| parse_newest(name, collection, id, response);
        Ok(self.remote.call(call, newest).await?)
    }

    /// The resources with these numbers, and their versions.
    async fn read<T: DeserializeOwned>(
        &self,
        origin: &types::Origin,
        numbers: &[u64],
    ) -> Result<Vec<(T, u64)>, ReadError> {
        let name = self.remote.name;
        records::read(numbers, async |number| {
            let call = get(origin, format!("/{}/{number}", self.collection));
            let record = |response: &_| parse_record(name, response);
            self.remote.call(call, record).await
        })
        .await
    }

    /// A resource in a state that this version of the interface does not know.
    fn unknown_status(&self, status: &str) -> Unavailable {
        Unavailable {
            message: format!("the {} context answered `{status}`", self.remote.name),
            effect: kit::Effect::None,
            retry_after: None,
        }
    }
}

fn get(origin: &types::Origin, path: String) -> Call<'_> {
    Call {
        origin,
        method: Method::GET,
        path,
        body: String::new(),
    }
}
