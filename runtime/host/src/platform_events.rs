//! The events of the platform itself, on the stream [`PLATFORM_STREAM`]: what breakers and operators do.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use serde_json::{Value, json};
use tracing::warn;

use crate::trace::Trace;
use event_log::{EVENT_FIELD, EntryId, EventLog, LogError};

/// The stream of the events of the platform.
pub const PLATFORM_STREAM: &str = "socar.platform";

/// The most events on the stream, whatever the retention: no component must react to them, and a flapping link would
/// fill it.
const MAX_EVENTS: u64 = 10_000;

/// The most events that are removed at once.
const TRIM_BATCH: usize = 100;

/// How often an event is appended to a log that does not respond, and the delay between two attempts.
const ATTEMPTS: u32 = 5;
const RETRY_DELAY: Duration = Duration::from_secs(1);

/// An event of this type, with the attributes that every event of the platform has.
pub fn event(kind: &str, subject: &str, host: &str, now: SystemTime, data: Value) -> Value {
    json!({
        "specversion": "1.0",
        "id": Trace::fresh().id(),
        "source": format!("socar/host/{host}"),
        "type": kind,
        "subject": subject,
        "time": humantime::format_rfc3339_millis(now).to_string(),
        "datacontenttype": "application/json",
        "data": data,
    })
}

/// Appends an event; one that cannot be appended is logged.
pub async fn append(log: &dyn EventLog, event: &Value) {
    let (kind, subject) = (&event["type"], &event["subject"]);
    let fields = vec![(EVENT_FIELD.to_owned(), Bytes::from(event.to_string()))];
    for _ in 0..ATTEMPTS {
        match log.append(PLATFORM_STREAM, &fields).await {
            Ok(_) => {
                if let Err(error) = keep_newest(log, MAX_EVENTS).await {
                    warn!(%error, "old events of the platform stay in the log for now");
                }
                return;
            }
            Err(error) if error.is_unavailable() => tokio::time::sleep(RETRY_DELAY).await,
            Err(error) => {
                warn!(%kind, %subject, %error, "event of the platform not published");
                return;
            }
        }
    }
    warn!(%kind, %subject, "event of the platform not published: the event log is unavailable");
}

/// Removes the oldest events above `most`, a batch at a time; the next event removes the rest.
async fn keep_newest(log: &dyn EventLog, most: u64) -> Result<(), LogError> {
    let surplus = log.length(PLATFORM_STREAM).await?.saturating_sub(most);
    let surplus = usize::try_from(surplus)
        .unwrap_or(TRIM_BATCH)
        .min(TRIM_BATCH);
    if surplus == 0 {
        return Ok(());
    }
    let (first, last) = (EntryId::MIN, EntryId::MAX);
    for entry in log.range(PLATFORM_STREAM, first, last, surplus).await? {
        log.remove(PLATFORM_STREAM, entry.id).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn the_stream_keeps_only_the_newest_events() {
        let fixture = event_log::test_support::embedded();
        let mut ids = Vec::new();
        for number in 0..5 {
            let fields = vec![(EVENT_FIELD.to_owned(), Bytes::from(number.to_string()))];
            ids.push(fixture.log.append(PLATFORM_STREAM, &fields).await.unwrap());
            keep_newest(&*fixture.log, 3).await.unwrap();
        }
        let range = fixture
            .log
            .range(PLATFORM_STREAM, EntryId::MIN, EntryId::MAX, 10);
        let kept: Vec<_> = range.await.unwrap().iter().map(|it| it.id).collect();
        assert_eq!(kept, ids[2..]);
    }
}
