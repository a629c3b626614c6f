//! The responses of a context: the list that contains the newest resource, and single resources.
//!
//! At the address of a context another server may listen, whose 404 is no statement about a resource. So a resource counts as
//! absent only if the response is the problem document of this platform.

use http::header;
use kit::{
    Unavailable,
    http::{Response, upstream},
};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// The path of the list that contains only the newest resource.
#[must_use]
pub fn newest_path(collection: &str, id: &str) -> String {
    format!("/{collection}?size=1&sort={id},desc")
}

/// The number of the newest resource; `None` when the list is empty.
///
/// # Errors
///
/// [`Unavailable`] when the response is no list of the context.
pub fn parse_newest(
    context: &str,
    collection: &str,
    id: &str,
    response: &Response,
) -> Result<Option<u64>, Unavailable> {
    let page: Option<Value> = serde_json::from_slice(response.body()).ok();
    let rows = page.filter(|_| response.status().is_success());
    let rows = rows.and_then(|page| page["_embedded"][collection].as_array().cloned());
    let rows = rows.ok_or_else(|| upstream::unexpected(context, response))?;
    Ok(rows.first().and_then(|row| row[id].as_u64()))
}

/// A resource of the context and the version in its `ETag`; `None` when the context reports that it does not exist.
///
/// # Errors
///
/// [`Unavailable`] when the response is not recognisable as the context's.
pub fn parse_record<T: DeserializeOwned>(
    context: &str,
    response: &Response,
) -> Result<Option<(T, u64)>, Unavailable> {
    match response.status().as_u16() {
        200 => record(response).map(Some),
        404 => upstream::problem(response, "not-found").map(|_| None),
        _ => None,
    }
    .ok_or_else(|| upstream::unexpected(context, response))
}

fn record<T: DeserializeOwned>(response: &Response) -> Option<(T, u64)> {
    let state = serde_json::from_slice(response.body()).ok()?;
    Some((state, version(response)?))
}

fn version(response: &Response) -> Option<u64> {
    let tag = response.headers().get(header::ETAG)?;
    tag.to_str().ok()?.trim_matches('"').parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use events::{CarId, CarState};
    use http::StatusCode;
    use kit::http::{Problem, etag, hal};
    use serde_json::json;

    fn newest(page: &Value) -> Result<Option<u64>, Unavailable> {
        parse_newest("car", "cars", "carId", &hal::found(page))
    }

    fn car(response: &Response) -> Result<Option<(CarState, u64)>, Unavailable> {
        parse_record("car", response)
    }

    #[test]
    fn the_newest_number_is_in_the_first_row() {
        let page = json!({"_embedded": {"cars": [{"carId": 9}]}});
        assert_eq!(newest(&page), Ok(Some(9)));
        assert_eq!(newest(&json!({"_embedded": {"cars": []}})), Ok(None));
        assert!(newest(&json!({})).is_err());
        let mut error = hal::found(&page);
        *error.status_mut() = StatusCode::BAD_GATEWAY;
        assert!(parse_newest("car", "cars", "carId", &error).is_err());
    }

    #[test]
    fn a_record_has_the_version_of_its_etag() {
        let body = json!({"carId": 1, "carName": "Kia", "carType": "", "amount": 5, "status": "available"});
        let response = etag::tagged(hal::found(&body), 3);
        let (car, version) = car(&response).unwrap().unwrap();
        assert_eq!((car.car_id, version), (CarId(1), 3));
    }

    #[test]
    fn only_the_context_can_report_that_a_resource_does_not_exist() {
        let absent = Problem::not_found("there is no car 1").into_response("/");
        assert_eq!(car(&absent), Ok(None));
        let other = Problem::new(
            StatusCode::NOT_FOUND,
            "other",
            "Other",
            "of another service",
        );
        let mut page = hal::found(&json!({}));
        *page.status_mut() = StatusCode::NOT_FOUND;
        for foreign in [other.into_response("/"), page] {
            assert!(car(&foreign).is_err(), "{foreign:?}");
        }
    }
}
