//! Who takes the money, as the variables say: the built-in ledger, or a gateway over HTTP.
//!
//! Approve is `POST <payment_gateway_url>`, as it is written; undo is `DELETE <payment_gateway_url>/<rsvId>`. If the
//! variables cannot be read just now, nobody takes or returns money: to fall back to the ledger
//! would approve what nobody paid.

use crate::{
    address,
    domain::{Order, Silence},
    ledger::Ledger,
    ports::{Approval, Gateway, NotUndone},
};
use events::ReservationId;
use http::{Method, StatusCode};
use kit::{
    http::{Response, upstream},
    spin::{CallError, HttpClient},
};
use serde_json::json;
use spin_sdk::variables;
use std::time::Duration;

/// How long the gateway may take; the caller of an approval waits for it.
const LIMIT: Duration = Duration::from_millis(1500);

/// The gateway of this installation.
pub enum AnyGateway {
    Ledger(Ledger),
    Http(HttpGateway),
    /// Why it is not known who takes the money.
    Unreadable(String),
}

/// A gateway over HTTP.
pub struct HttpGateway {
    url: String,
}

// === impl AnyGateway ===

impl AnyGateway {
    /// The HTTP gateway if its variable is set, the ledger if not.
    pub async fn configured() -> Self {
        Self::read().await.unwrap_or_else(Self::Unreadable)
    }

    async fn read() -> Result<Self, String> {
        let url = variable("payment_gateway_url").await?;
        Ok(match url.trim() {
            "" => Self::Ledger(Ledger::new(&variable("payment_limit").await?)),
            url => Self::Http(HttpGateway { url: url.into() }),
        })
    }
}

impl Gateway for AnyGateway {
    fn is_remote(&self) -> bool {
        match self {
            Self::Ledger(ledger) => ledger.is_remote(),
            Self::Http(gateway) => gateway.is_remote(),
            Self::Unreadable(_) => true,
        }
    }

    async fn approve(&self, order: &Order) -> Approval {
        match self {
            Self::Ledger(ledger) => ledger.approve(order).await,
            Self::Http(gateway) => gateway.approve(order).await,
            Self::Unreadable(why) => Approval::NotAsked(Silence::new(why)),
        }
    }

    async fn undo(&self, id: ReservationId) -> Result<(), NotUndone> {
        match self {
            Self::Ledger(ledger) => ledger.undo(id).await,
            Self::Http(gateway) => gateway.undo(id).await,
            Self::Unreadable(why) => Err(NotUndone(why.clone())),
        }
    }
}

/// A variable that is not defined is empty; one that cannot be read is not.
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
        headers: &[(&str, &str)],
        body: String,
    ) -> Result<Response, CallError> {
        HttpClient::new(LIMIT)
            .call(method, url, headers, body)
            .await
    }
}

impl Gateway for HttpGateway {
    fn is_remote(&self) -> bool {
        true
    }

    async fn approve(&self, order: &Order) -> Approval {
        let body = json!({
            "rsvId": order.reservation,
            "carId": order.car,
            "amount": order.amount,
        });
        // A string of RFC 8941, quotes included.
        let key = format!("\"rsv-{}\"", order.reservation);
        let headers = [("idempotency-key", key.as_str())];
        let answer = self
            .call(Method::POST, &self.url, &headers, body.to_string())
            .await;
        match answer {
            Ok(answer) if answer.status().is_success() => Approval::Approved,
            Ok(answer) if answer.status() == StatusCode::PAYMENT_REQUIRED => Approval::Declined,
            Ok(answer) => Approval::Unknown(Silence {
                why: senseless(answer.status()),
                retry_after: upstream::retry_after(&answer),
            }),
            Err(CallError::NotSent { why, retry_after }) => Approval::NotAsked(Silence {
                why: format!("the payment gateway was not asked: {why}"),
                retry_after,
            }),
            Err(error) => Approval::Unknown(Silence::new(silent(&error))),
        }
    }

    async fn undo(&self, id: ReservationId) -> Result<(), NotUndone> {
        let url = address::of_undo(&self.url, id);
        let answer = self.call(Method::DELETE, &url, &[], String::new()).await;
        match answer.map(|answer| answer.status()) {
            Ok(status) if status.is_success() || status == StatusCode::NOT_FOUND => Ok(()),
            Ok(status) => Err(NotUndone(senseless(status))),
            Err(error) => Err(NotUndone(silent(&error))),
        }
    }
}

fn senseless(status: StatusCode) -> String {
    format!("the payment gateway answers {status}")
}

fn silent(error: &CallError) -> String {
    format!("the payment gateway does not answer: {error}")
}
