//! The summary of the fleet: `/carviews/summary`, for the company.

use super::{query_string::reject_parameters, rows};
use crate::{
    authorization,
    car_view::CarView,
    ports::Database,
    read_model::ReadModel,
    summary::{HourlyRevenue, Summary},
};
use events::Timestamp;
use http::StatusCode;
use kit::Principal;
use kit::http::{Problem, Request, Response, base_url, etag, hal::Item, json_response};
use serde::Serialize;

/// The body of the response. The time is no part of its entity tag: a client that polls gets nothing again that has not
/// changed.
#[derive(Serialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "FleetSummary")
)]
#[serde(rename_all = "camelCase")]
struct SummaryBody<'a> {
    #[serde(flatten)]
    content: &'a SummaryContent<'a>,
    /// When the view said so.
    as_of: Timestamp,
}

#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
struct SummaryContent<'a> {
    /// The number of cars.
    cars: u64,
    by_status: CarsByStatus,
    /// The share of the cars that are reserved.
    utilisation: f64,
    /// The last 24 hours, the present one last.
    revenue: Vec<HourBody>,
    /// The rows whose reservation is requested or about to be cancelled, at most 100.
    #[cfg_attr(feature = "schema", schemars(with = "Vec<CarView>"))]
    attention: Vec<Item<&'a CarView>>,
}

/// The number of cars of each status.
#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
struct CarsByStatus {
    available: u64,
    reserved: u64,
}

/// What the payments that were approved in one hour and not returned brought in.
#[derive(Serialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "HourlyRevenue")
)]
struct HourBody {
    /// The beginning of the hour.
    #[cfg_attr(feature = "schema", schemars(extend("format" = "date-time")))]
    hour: String,
    /// Their amount, in won.
    amount: u64,
    /// Their number.
    payments: u64,
}

pub(super) async fn show<D: Database>(
    model: &ReadModel<D>,
    request: &Request,
    now: Timestamp,
) -> Result<Response, Problem> {
    let principal = Principal::from_headers(request.headers());
    let access = authorization::summarise(&principal);
    access.require("to see the summary", || {
        Problem::not_found("there is no summary")
    })?;
    reject_parameters(request)?;
    let mut summary = model.summary(now).await?;
    let rows = std::mem::take(&mut summary.attention);
    let rows = rows
        .into_iter()
        .map(|row| authorization::visible(&principal, row));
    let rows: Vec<CarView> = rows.collect();
    let content = content(&summary, &rows, &base_url(request));
    let version = etag::fingerprint(&serde_json::to_vec(&content).unwrap_or_default());
    let body = SummaryBody {
        content: &content,
        as_of: now,
    };
    let response = json_response(StatusCode::OK, "application/json", &body);
    Ok(etag::tagged(response, version))
}

fn content<'a>(summary: &Summary, rows: &'a [CarView], base: &str) -> SummaryContent<'a> {
    SummaryContent {
        cars: summary.cars,
        by_status: CarsByStatus {
            available: summary.available,
            reserved: summary.reserved,
        },
        utilisation: summary.utilisation(),
        revenue: summary.revenue.iter().map(HourBody::from).collect(),
        attention: rows.iter().map(|row| rows::item(row, base)).collect(),
    }
}

impl From<&HourlyRevenue> for HourBody {
    fn from(revenue: &HourlyRevenue) -> Self {
        Self {
            hour: revenue.hour.to_string().replace(".000Z", "Z"),
            amount: revenue.amount,
            payments: revenue.payments,
        }
    }
}

/// The JSON schema of the summary, for the documents of the API.
#[cfg(feature = "schema")]
pub fn schema(generator: schemars::SchemaGenerator) -> schemars::Schema {
    generator.into_root_schema_for::<SummaryBody<'static>>()
}
