//! The lines about events that wait.

use std::fmt;

use tracing::field::{Field, Visit};
use tracing::span;
use tracing::{Event, Metadata, Subscriber};

use super::*;

/// Collects the lines of the level info and above.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<String>>>);

#[derive(Default)]
struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let text = match field.name() {
            "message" => format!("{value:?}; "),
            name => format!("{name}={value:?} "),
        };
        self.0.push_str(&text);
    }
}

impl Subscriber for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= tracing::Level::INFO
    }

    fn event(&self, event: &Event<'_>) {
        let mut line = Line::default();
        event.record(&mut line);
        self.0.lock().push(line.0.trim().to_owned());
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

#[tokio::test]
async fn each_cause_for_which_events_wait_is_logged_once_and_its_end() {
    let lines = Lines::default();
    let _guard = tracing::subscriber::set_default(lines.clone());
    let fixture = crate::test_support::embedded();
    // Events of another subject are handled all the while.
    let mut attempts = 0;
    let handler = Recorder::reacting(move |subject, _, _| {
        attempts += usize::from(subject == "a");
        match (subject, attempts) {
            ("a", 0..10) => Err(HandlerError::unavailable("the store is away")),
            ("a", 10..20) => Err(HandlerError::unavailable("payment is overloaded")),
            _ => Ok(()),
        }
    });
    publish(&fixture.log, "a", 1..=2).await;
    publish(&fixture.log, "b", 1..=30).await;
    let deliveries = start(&fixture.log, &handler, "host");
    eventually(async || handler.of("a"), vec![1, 2]).await;
    deliveries.stop().await;
    let lines = lines.0.lock().clone();
    let about = |text: &str| lines.iter().filter(|line| line.contains(text)).count();
    assert_eq!(about("the store is away"), 1, "{lines:#?}");
    assert_eq!(about("payment is overloaded"), 1, "{lines:#?}");
    assert_eq!(about("events are delivered again"), 1, "{lines:#?}");
}
