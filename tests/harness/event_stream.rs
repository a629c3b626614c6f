//! A client of Server-Sent Events, as a browser would read them.

use std::time::Duration;

use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use serde_json::Value;

use crate::client::{RequestBuilder, Response, runtime};

/// Longer than the time between two heartbeats.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A stream that is being read.
#[derive(Debug)]
pub struct EventStream {
    body: Incoming,
    text: String,
    /// The position of the last message that had one.
    pub last_id: String,
    /// The time after which the client is to come again, in milliseconds.
    pub retry: Option<u64>,
}

/// A message with data.
#[derive(Debug, Clone, PartialEq)]
pub struct StreamedEvent {
    pub id: String,
    pub event_type: String,
    pub data: Value,
}

impl RequestBuilder {
    /// Opens a stream of events.
    ///
    /// # Errors
    /// The response, if it is no stream.
    ///
    /// # Panics
    /// When there is no response.
    pub fn listen(self) -> Result<EventStream, Box<Response>> {
        let (head, body, request) = self.begin();
        let media_type = head.headers.get("content-type");
        if head.status == 200 && media_type.is_some_and(|it| it == "text/event-stream") {
            return Ok(EventStream {
                body,
                text: String::new(),
                last_id: String::new(),
                retry: None,
            });
        }
        let collected = runtime().block_on(body.collect());
        let body = collected.unwrap_or_else(|error| panic!("{request}: {error}"));
        Err(Box::new(Response::of(&head, body.to_bytes(), request)))
    }
}

// === impl EventStream ===

impl EventStream {
    /// The next event; `None` at the end of the stream, also where the connection breaks.
    ///
    /// # Panics
    /// When nothing arrives for longer than the time between two heartbeats.
    #[track_caller]
    pub fn next_event(&mut self) -> Option<StreamedEvent> {
        loop {
            match self.next_message() {
                Some(None) => {}
                Some(Some(event)) => return Some(event),
                None => return None,
            }
        }
    }

    /// Reads up to and including the event that is wanted, and returns all of them.
    ///
    /// # Panics
    /// When the stream ends before.
    #[track_caller]
    pub fn until(&mut self, mut is_last: impl FnMut(&StreamedEvent) -> bool) -> Vec<StreamedEvent> {
        let mut events: Vec<StreamedEvent> = Vec::new();
        while !events.last().is_some_and(&mut is_last) {
            let next = self.next_event();
            events.push(next.unwrap_or_else(|| panic!("the stream has ended after {events:#?}")));
        }
        events
    }

    /// Reads the first message, which has the position from which on the stream tells changes.
    ///
    /// # Panics
    /// When the stream begins with anything else.
    #[track_caller]
    pub fn opened(mut self) -> Self {
        assert_eq!(
            self.next_message(),
            Some(None),
            "the stream begins without an event"
        );
        assert!(!self.last_id.is_empty() && self.retry.is_some(), "{self:?}");
        self
    }

    #[track_caller]
    fn next_message(&mut self) -> Option<Option<StreamedEvent>> {
        while !self.text.contains("\n\n") {
            let frame = async { tokio::time::timeout(TIMEOUT, self.body.frame()).await };
            let frame = runtime().block_on(frame);
            let frame = frame.unwrap_or_else(|_| panic!("nothing arrived within {TIMEOUT:?}"));
            let data = frame?.ok()?.into_data().unwrap_or_default();
            self.text.push_str(&String::from_utf8_lossy(&data));
        }
        let (message, rest) = self
            .text
            .split_once("\n\n")
            .map(|(a, b)| (a.to_owned(), b.to_owned()))?;
        self.text = rest;
        Some(self.read(&message))
    }

    fn read(&mut self, message: &str) -> Option<StreamedEvent> {
        let (mut event_type, mut data) = (String::new(), String::new());
        for line in message.lines() {
            match line.split_once(": ") {
                Some(("id", id)) => id.clone_into(&mut self.last_id),
                Some(("event", name)) => name.clone_into(&mut event_type),
                Some(("data", line)) => data.push_str(line),
                Some(("retry", time)) => self.retry = time.parse().ok(),
                _ => {}
            }
        }
        let data = serde_json::from_str(&data).ok()?;
        Some(StreamedEvent {
            id: self.last_id.clone(),
            event_type,
            data,
        })
    }
}
