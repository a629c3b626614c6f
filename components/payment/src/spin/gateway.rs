//! The configured gateway: the built-in one, or a gateway over HTTP.
//!
//! Approve is `POST <payment_gateway_url>`, refund is `DELETE <payment_gateway_url>/<rsvId>`. While the variables
//! cannot be read, no money is taken or returned: a fallback to the built-in gateway would approve reservations for
//! which no money is taken.

use crate::{
    built_in_gateway::BuiltInGateway,
    domain::{GatewayError, GatewayId, Order},
    gateway_url::GatewayUrl,
    ports::{ApprovalOutcome, Gateway, RefundError},
};
use events::ReservationId;
use http::{Method, StatusCode};
use kit::{
    http::{Response, upstream},
    spin::{CallError, HttpClient},
};
use serde_json::json;
use spin_sdk::variables;
use std::{cell::RefCell, time::Duration};

/// The timeout of one gateway call. The caller of an approval waits for it.
const TIMEOUT: Duration = Duration::from_millis(1500);

thread_local! {
    /// Kept between requests: the variables are those of the start of this instance.
    static CONFIGURED: RefCell<Option<AnyGateway>> = const { RefCell::new(None) };
}

/// The configured gateway.
#[derive(Clone)]
pub enum AnyGateway {
    BuiltIn(BuiltInGateway),
    Http(HttpGateway),
    /// The variables cannot be read; the text says why.
    Unreadable(String),
}

/// A gateway over HTTP.
#[derive(Clone)]
pub struct HttpGateway {
    url: GatewayUrl,
}

// === impl AnyGateway ===

impl AnyGateway {
    /// The HTTP gateway if its variable is set, else the built-in one.
    pub async fn configured() -> Self {
        if let Some(gateway) = CONFIGURED.with_borrow(Clone::clone) {
            return gateway;
        }
        match Self::read().await {
            Ok(gateway) => {
                CONFIGURED.with_borrow_mut(|configured| *configured = Some(gateway.clone()));
                gateway
            }
            // The next call asks again.
            Err(why) => Self::Unreadable(why),
        }
    }

    async fn read() -> Result<Self, String> {
        let url = variable("payment_gateway_url").await?;
        Ok(match url.trim() {
            "" => Self::BuiltIn(BuiltInGateway::new(&variable("payment_limit").await?)),
            url => Self::Http(HttpGateway {
                url: GatewayUrl::new(url),
            }),
        })
    }
}

impl Gateway for AnyGateway {
    fn id(&self) -> Option<GatewayId> {
        match self {
            Self::BuiltIn(gateway) => gateway.id(),
            Self::Http(gateway) => gateway.id(),
            Self::Unreadable(_) => None,
        }
    }

    fn is_remote(&self) -> bool {
        match self {
            Self::BuiltIn(gateway) => gateway.is_remote(),
            Self::Http(gateway) => gateway.is_remote(),
            Self::Unreadable(_) => true,
        }
    }

    async fn approve(&self, order: &Order) -> ApprovalOutcome {
        match self {
            Self::BuiltIn(gateway) => gateway.approve(order).await,
            Self::Http(gateway) => gateway.approve(order).await,
            Self::Unreadable(why) => ApprovalOutcome::NotRequested(GatewayError::new(why)),
        }
    }

    async fn refund(&self, id: ReservationId) -> Result<(), RefundError> {
        match self {
            Self::BuiltIn(gateway) => gateway.refund(id).await,
            Self::Http(gateway) => gateway.refund(id).await,
            Self::Unreadable(why) => Err(RefundError(why.clone())),
        }
    }
}

/// The value of a variable; empty when it is not defined, an error when it cannot be read.
async fn variable(name: &str) -> Result<String, String> {
    match variables::get(name).await {
        Ok(value) => Ok(value),
        Err(variables::Error::Undefined(_)) => Ok(String::new()),
        Err(error) => Err(format!("the variable {name} cannot be read: {error:?}")),
    }
}

// === impl HttpGateway ===

impl HttpGateway {
    async fn call(
        &self,
        method: Method,
        url: &str,
        key: Option<&str>,
        body: String,
    ) -> Result<Response, CallError> {
        let credentials = self
            .url
            .authorization()
            .map(|value| ("authorization", value));
        let key = key.map(|value| ("idempotency-key", value));
        let headers: Vec<(&str, &str)> = credentials.into_iter().chain(key).collect();
        let answer = HttpClient::new(TIMEOUT)
            .call(method, url, &headers, body)
            .await;
        // The customer only hears that the payment failed; the operator needs the cause.
        match &answer {
            Ok(answer) if is_expected(answer.status()) => {}
            Ok(answer) => kit::report(&unexpected(answer.status())),
            Err(error) => kit::report(&no_response(error)),
        }
        answer
    }
}

impl Gateway for HttpGateway {
    fn id(&self) -> Option<GatewayId> {
        Some(self.url.id())
    }

    fn is_remote(&self) -> bool {
        true
    }

    async fn approve(&self, order: &Order) -> ApprovalOutcome {
        let body = json!({
            "rsvId": order.reservation,
            "carId": order.car,
            "amount": order.amount,
        });
        // A string of RFC 8941, quotes included.
        let key = format!("\"rsv-{}\"", order.reservation);
        let url = self.url.approval();
        let answer = self
            .call(Method::POST, url, Some(&key), body.to_string())
            .await;
        match answer {
            Ok(answer) if answer.status().is_success() => ApprovalOutcome::Approved,
            Ok(answer) if answer.status() == StatusCode::PAYMENT_REQUIRED => {
                ApprovalOutcome::Declined
            }
            Ok(answer) => ApprovalOutcome::Unknown(GatewayError {
                message: unexpected(answer.status()),
                retry_after: upstream::retry_after(&answer),
            }),
            Err(CallError::NotSent { why, retry_after }) => {
                ApprovalOutcome::NotRequested(GatewayError {
                    message: format!("the payment gateway was not asked: {why}"),
                    retry_after,
                })
            }
            Err(error) => ApprovalOutcome::Unknown(GatewayError::new(no_response(&error))),
        }
    }

    async fn refund(&self, id: ReservationId) -> Result<(), RefundError> {
        let url = self.url.refund(id);
        let answer = self.call(Method::DELETE, &url, None, String::new()).await;
        match answer.map(|answer| answer.status()) {
            Ok(status) if status.is_success() || status == StatusCode::NOT_FOUND => Ok(()),
            Ok(status) => Err(RefundError(unexpected(status))),
            Err(error) => Err(RefundError(no_response(&error))),
        }
    }
}

/// Whether the gateway has done what it was asked to, or has declined.
fn is_expected(status: StatusCode) -> bool {
    let declined = [StatusCode::PAYMENT_REQUIRED, StatusCode::NOT_FOUND];
    status.is_success() || declined.contains(&status)
}

fn unexpected(status: StatusCode) -> String {
    format!("the payment gateway answers {status}")
}

fn no_response(error: &CallError) -> String {
    format!("the payment gateway does not answer: {error}")
}
