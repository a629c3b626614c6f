//! Events: the payload itself, or `data.behave` in a CloudEvents payload, names the action.
//!
//! The actions are `ok`, `trap`, `spin`, `fail`, `sleep:<ms>` and `fail-times:<n>` (the first n deliveries of this
//! event id fail). A handled event is stored under `received:<n>` in the store `saboteur`; the key `received`
//! counts them.

use std::time::Duration;

use spin_sdk::experimental::wasi::keyvalue::{atomics, store};

use super::misbehaviour;

const STORE: &str = "saboteur";

pub async fn receive(message: &[u8]) -> Result<(), String> {
    let text = String::from_utf8_lossy(message).into_owned();
    let event: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
    let action = event["data"]["behave"].as_str().unwrap_or(&text).to_owned();
    let id = event["id"].as_str().unwrap_or(&text).to_owned();
    let bucket = store::open(STORE).map_err(|error| format!("{error:?}"))?;

    match action.split_once(':').unwrap_or((&action, "")) {
        ("trap", _) => drop(misbehaviour::trap()),
        ("spin", _) => drop(misbehaviour::spin()),
        ("fail", _) => return Err("failed, as requested".to_owned()),
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
                return Err(format!("attempt {attempt} of {times} failed, as requested"));
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
