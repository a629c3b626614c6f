//! Which components of the manifest read which streams of the event log, also those that do not run on this host.

use std::collections::BTreeSet;

use config::manifest::App;
use config::policy::EventDelivery;
use event_log::delivery::Audience;
use event_log::retention::StreamReader;

/// What the components of the manifest read.
pub fn stream_readers(app: &App) -> BTreeSet<StreamReader> {
    let triggers = app.declared_triggers.iter();
    triggers
        .map(|(trigger, events)| StreamReader {
            stream: trigger.channel.clone(),
            component: trigger.component.to_string(),
            audience: audience(*events),
        })
        .collect()
}

/// Who gets the events of a component with this policy.
pub fn audience(events: EventDelivery) -> Audience {
    match events {
        EventDelivery::Shared => Audience::Shared,
        EventDelivery::EachHost => Audience::EachHost,
    }
}
