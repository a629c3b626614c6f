//! Which changes a listener gets.
//!
//! The company gets every event as it is in the log. A customer gets the events that belong to it, whose data names it as
//! `customerId`, as they are, and of the types of `public` those attributes and members that say nothing of anyone else.

use std::sync::Arc;

use bytes::Bytes;
use config::policy::PublicEvents;
use serde_json::{Map, Value};

use crate::principal::CallPrincipal;

/// The attributes of a public event. The others say who caused it, and by which request.
const PUBLIC_ATTRIBUTES: [&str; 8] = [
    "specversion",
    "id",
    "source",
    "type",
    "subject",
    "time",
    "datacontenttype",
    "sequence",
];

/// The member of the data with the customer whom an event belongs to.
const OWNER: &str = "customerId";

/// What a listener may see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Visibility {
    /// Every event.
    Everything,
    /// Public events, and those of the customer with this subject.
    OfCustomer(Arc<str>),
}

/// A message that all listeners of a feed share, in the forms that they may see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SharedMessage {
    complete: Bytes,
    /// For every user; absent if nothing of it is public.
    public: Option<Bytes>,
    owner: Option<Arc<str>>,
}

// === impl Visibility ===

impl Visibility {
    /// What a principal may see; nothing, if it is neither the company nor a customer.
    pub fn of(principal: &CallPrincipal) -> Option<Self> {
        if principal.is_company() {
            return Some(Self::Everything);
        }
        let customer = principal.customer()?;
        Some(Self::OfCustomer(customer.into()))
    }
}

// === impl SharedMessage ===

impl SharedMessage {
    /// A message for every listener.
    pub fn to_all(message: Bytes) -> Self {
        Self {
            complete: message.clone(),
            public: Some(message),
            owner: None,
        }
    }

    /// The message of an event, with its public form if it has one.
    pub fn of_event(complete: Bytes, public: Option<Bytes>, owner: Option<Arc<str>>) -> Self {
        Self {
            complete,
            public,
            owner,
        }
    }

    /// The bytes that it occupies.
    pub fn len(&self) -> usize {
        self.complete.len() + self.public.as_ref().map_or(0, Bytes::len)
    }

    /// The form for a listener, if it may see one.
    pub fn visible(&self, visibility: &Visibility) -> Option<Bytes> {
        match visibility {
            Visibility::Everything => Some(self.complete.clone()),
            Visibility::OfCustomer(customer) if self.owner.as_ref() == Some(customer) => {
                Some(self.complete.clone())
            }
            Visibility::OfCustomer(_) => self.public.clone(),
        }
    }

    /// The first line of the message: the position of an event.
    pub fn position_line(&self) -> Option<&str> {
        let line = self.complete.split(|byte| *byte == b'\n').next()?;
        let line = std::str::from_utf8(line).ok()?;
        line.starts_with("id: ").then_some(line)
    }
}

/// The customer whom an event belongs to.
pub(super) fn owner(event: &Value) -> Option<Arc<str>> {
    event["data"][OWNER].as_str().map(Arc::from)
}

/// What every user may see of an event; `None` if that is nothing.
pub(super) fn public_form(event: &Value, public: &PublicEvents) -> Option<Value> {
    let visible = public.get(event["type"].as_str()?)?;
    let attributes = event.as_object()?.iter();
    let attributes = attributes.filter(|(name, _)| PUBLIC_ATTRIBUTES.contains(&name.as_str()));
    let mut form: Map<String, Value> = attributes.map(|(k, v)| (k.clone(), v.clone())).collect();
    let data = event["data"].as_object()?.iter();
    let data = data.filter(|(name, _)| visible.contains(name));
    let data: Map<String, Value> = data.map(|(k, v)| (k.clone(), v.clone())).collect();
    form.insert("data".to_owned(), data.into());
    Some(form.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_conventions::principal::Role;
    use serde_json::json;

    #[test]
    fn a_public_event_says_nothing_of_the_customer_who_caused_it() {
        let public = PublicEvents::from([(
            "CarReserved".to_owned(),
            vec!["carId".to_owned(), "status".to_owned()],
        )]);
        let event = json!({
            "specversion": "1.0", "id": "1", "source": "socar/car", "type": "CarReserved", "subject": "car/3",
            "actor": "alice", "correlationid": "r", "causationid": "r", "traceparent": "00-…",
            "data": {"carId": 3, "status": "reserved", "rsvId": 7},
        });
        let expected = json!({
            "specversion": "1.0", "id": "1", "source": "socar/car", "type": "CarReserved", "subject": "car/3",
            "data": {"carId": 3, "status": "reserved"},
        });
        assert_eq!(public_form(&event, &public), Some(expected));
        let other = json!({"type": "PaymentApproved", "data": {"carId": 3}});
        assert_eq!(public_form(&other, &public), None);
    }

    #[test]
    fn customers_see_what_is_theirs_or_public() {
        let bytes = Bytes::from_static;
        let user = |role, name| CallPrincipal::user(role, name).unwrap();
        let [company, alice, bob] = [
            user(Role::Host, "alice"),
            user(Role::Customer, "alice"),
            user(Role::Customer, "bob"),
        ]
        .map(|principal| Visibility::of(&principal).unwrap());
        let own = SharedMessage::of_event(bytes(b"id: 1\ndata: x\n\n"), None, Some("alice".into()));
        assert_eq!(own.position_line(), Some("id: 1"));
        assert!(own.visible(&company).is_some() && own.visible(&alice).is_some());
        assert_eq!(own.visible(&bob), None);
        let car = SharedMessage::of_event(bytes(b"all"), Some(bytes(b"part")), None);
        assert_eq!(car.visible(&company), Some(bytes(b"all")));
        assert_eq!(car.visible(&bob), Some(bytes(b"part")));
        let old = SharedMessage::of_event(bytes(b"all"), None, None);
        assert_eq!(old.visible(&alice), None);
        for nobody in [CallPrincipal::anonymous(), CallPrincipal::platform()] {
            assert_eq!(Visibility::of(&nobody), None);
        }
        assert_eq!(
            Visibility::of(&CallPrincipal::Open),
            Some(Visibility::Everything)
        );
    }
}
