//! Messages: the payload itself, or `data.behave` inside a CloudEvents payload, says what to do.
//!
//! `ok`, `trap`, `spin`, `fail`, `sleep:<ms>`, `fail-times:<n>` (the first n deliveries of this event id fail).
//! Whatever was received successfully is kept under `received:<n>` in the store `saboteur`, counted by `received`.

use std::time::Duration;

use spin_sdk::experimental::wasi::keyvalue::{atomics, store};

use super::misbehaviour;

const STORE: &str = "saboteur";

pub async fn receive(message: &[u8]) -> Result<(), String> {
    let text = String::from_utf8_lossy(message).into_owned();
    let event: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
    let order = event["data"]["behave"].as_str().unwrap_or(&text).to_owned();
    let id = event["id"].as_str().unwrap_or(&text).to_owned();
    let bucket = store::open(STORE).map_err(|error| format!("{error:?}"))?;

    match order.split_once(':').unwrap_or((&order, "")) {
        ("trap", _) => drop(misbehaviour::trap()),
        ("spin", _) => drop(misbehaviour::spin()),
        ("fail", _) => return Err("failed, as asked".to_owned()),
        ("sleep", ms) => {
            let ms = ms.parse().map_err(|_| format!("`{ms}` is not a number"))?;
            spin_sdk::time::sleep(Duration::from_millis(ms)).await;
        }
        ("fail-times", times) => {
            let times: i64 = times
                .parse()
                .map_err(|_| format!("`{times}` is not a number"))?;
            let attempt = increment(&bucket, &format!("attempts:{id}"))?;
            if attempt <= times {
                return Err(format!("attempt {attempt} of {times} failed, as asked"));
            }
        }
        _ => {}
    }

    let number = increment(&bucket, "received")?;
    bucket
        .set(&format!("received:{number}"), message)
        .map_err(|error| format!("{error:?}"))
}

fn increment(bucket: &store::Bucket, key: &str) -> Result<i64, String> {
    atomics::increment(bucket, key, 1).map_err(|error| format!("{error:?}"))
}
