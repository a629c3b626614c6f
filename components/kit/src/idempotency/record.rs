//! The stored record of a key. The member names are persistent.

use crate::{http::Response, sighted_age::SightedAge, store::StoreError};
use bytes::Bytes;
use events::Timestamp;
use http::{HeaderName, HeaderValue, StatusCode};
use serde::{Deserialize, Serialize};

/// The headers that are stored with a response.
const STORED_HEADERS: [&str; 4] = ["content-type", "etag", "location", "retry-after"];

#[derive(Clone, Serialize, Deserialize)]
pub(super) struct KeyRecord {
    /// Identifies the request that holds the lease.
    pub(super) token: String,
    pub(super) fingerprint: String,
    /// Start of the lease; the epoch after its release.
    pub(super) at: Timestamp,
    pub(super) number: u64,
    /// Time of the allocation of the number, or earlier.
    #[serde(default)]
    pub(super) numbered: Timestamp,
    /// The list that names the record, so that another list does not delete it. Absent in records of earlier releases.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) list: Option<u64>,
    #[serde(rename = "answer")]
    pub(super) response: Option<StoredResponse>,
    /// For how long other requests have seen the lease.
    #[serde(default, skip_serializing_if = "SightedAge::is_empty")]
    pub(super) seen: SightedAge,
}

#[derive(Clone, Serialize, Deserialize)]
pub(super) struct StoredResponse {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
}

impl KeyRecord {
    pub(super) fn encode(&self) -> Result<Vec<u8>, StoreError> {
        serde_json::to_vec(self).map_err(|error| StoreError(error.to_string()))
    }

    pub(super) fn decode(value: &[u8]) -> Result<Self, StoreError> {
        serde_json::from_slice(value).map_err(|error| StoreError(error.to_string()))
    }
}

impl From<&Response> for StoredResponse {
    fn from(response: &Response) -> Self {
        let header = |name: &&str| {
            let value = response.headers().get(*name)?.to_str().ok()?;
            Some(((*name).to_owned(), value.to_owned()))
        };
        Self {
            status: response.status().as_u16(),
            headers: STORED_HEADERS.iter().filter_map(header).collect(),
            body: String::from_utf8_lossy(response.body()).into_owned(),
        }
    }
}

impl StoredResponse {
    /// The response as it was sent the first time.
    pub(super) fn replay(&self) -> Response {
        let mut response = Response::new(Bytes::from(self.body.clone()));
        *response.status_mut() = StatusCode::from_u16(self.status).unwrap_or(StatusCode::OK);
        for (name, value) in &self.headers {
            if let (Ok(name), Ok(value)) =
                (name.parse::<HeaderName>(), HeaderValue::from_str(value))
            {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }
}
