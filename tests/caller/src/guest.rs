//! The requests by path.

use std::pin::pin;
use std::time::Duration;

use futures::future::{Either, join_all, select};
use spin_sdk::http::body::IncomingBodyExt as _;
use spin_sdk::http::{IntoResponse, Request};
use spin_sdk::http_service;

use actions::saboteur::actions::actions::{Origin, Refusal, perform};

mod actions {
    #![allow(unsafe_code, missing_docs, reason = "generated")]
    wit_bindgen::generate!({ path: "../saboteur/wit", world: "caller", generate_all });
}

/// The parameters of a request.
struct Parameters(Vec<(String, String)>);

#[http_service]
async fn handle(request: Request) -> impl IntoResponse {
    let query = request.uri().query().unwrap_or_default();
    let query = Parameters(
        form_urlencoded::parse(query.as_bytes())
            .into_owned()
            .collect(),
    );
    let (action, ms) = (
        query.text("action"),
        Duration::from_millis(query.number("ms")),
    );
    let count = query.number("count");
    match request.uri().path() {
        "/perform" => format!("{:?}", call(action).await),
        "/parallel" => {
            let results = join_all((0..count).map(|_| call(action))).await;
            let lines = results.iter().map(|result| format!("{result:?}"));
            lines.collect::<Vec<_>>().join("\n")
        }
        "/leave" => {
            let (work, time) = (pin!(call(action)), pin!(spin_sdk::time::sleep(ms)));
            match select(work, time).await {
                Either::Left((result, _)) => format!("{result:?}"),
                Either::Right(_) => "left".to_owned(),
            }
        }
        "/late" => {
            spin_sdk::time::sleep(ms).await;
            format!("{:?}", call(action).await)
        }
        "/repeat" => {
            let mut succeeded = 0;
            for _ in 0..count {
                succeeded += u64::from(call(action).await.is_ok());
            }
            succeeded.to_string()
        }
        "/repeat-http" => {
            let mut succeeded = 0;
            for _ in 0..count {
                succeeded += u64::from(fetch(query.text("url")).await.is_some());
            }
            succeeded.to_string()
        }
        other => format!("no such request: {other}"),
    }
}

/// Calls the saboteur with an origin that the host must replace.
async fn call(action: &str) -> Result<String, Refusal> {
    let forged = Origin {
        correlation_id: "forged".to_owned(),
        traceparent: "forged".to_owned(),
        deadline: None,
    };
    perform(forged, action.to_owned()).await
}

async fn fetch(url: &str) -> Option<bytes::Bytes> {
    let response = spin_sdk::http::get(url).await.ok()?;
    let is_good = response.status().is_success();
    response.into_body().bytes().await.ok().filter(|_| is_good)
}

// === impl Parameters ===

impl Parameters {
    fn text(&self, name: &str) -> &str {
        let mut pairs = self.0.iter();
        let value = pairs.find_map(|(key, value)| (key == name).then_some(value.as_str()));
        value.unwrap_or_default()
    }

    fn number(&self, name: &str) -> u64 {
        self.text(name).parse().unwrap_or_default()
    }
}
