//! `static_response`: a response that the host sends without calling a component.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use crate::document::{ConfigError, Table};

/// `static_response = { status_code, headers, body }`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StaticResponse {
    /// 200 by default.
    pub status: StatusCode,
    /// The headers of the manifest and no others.
    pub headers: HeaderMap,
    /// Empty by default.
    pub body: Bytes,
}

impl StaticResponse {
    /// # Errors
    /// When the status or a header is not valid in HTTP, or when a key is unknown.
    pub(crate) fn read(mut table: Table) -> Result<Self, ConfigError> {
        let status = match table.integer("status_code")? {
            None => StatusCode::OK,
            Some(code) => u16::try_from(code.value)
                .ok()
                .and_then(|number| StatusCode::from_u16(number).ok())
                .ok_or_else(|| {
                    code.error("not an HTTP status", "write a number from 100 to 999")
                })?,
        };
        let headers = read_headers(&mut table)?;
        let body = table.string("body")?;
        table.finish()?;
        Ok(Self {
            status,
            headers,
            body: body.map(|body| Bytes::from(body.value)).unwrap_or_default(),
        })
    }
}

fn read_headers(table: &mut Table) -> Result<HeaderMap, ConfigError> {
    let mut headers = HeaderMap::new();
    for (name, value) in table.named_strings("headers")? {
        let header = HeaderName::try_from(&name)
            .ok()
            .zip(HeaderValue::try_from(&value.value).ok());
        let (name, text) =
            header.ok_or_else(|| value.error("not an HTTP header", "correct its name or value"))?;
        headers.append(name, text);
    }
    Ok(headers)
}
