//! The calls of a version of the application that a fault can affect.

use std::collections::BTreeSet;

use super::{EVENTS, InjectableCalls, OUTSIDE};
use crate::generation::Generation;

impl InjectableCalls for Generation {
    fn components(&self) -> BTreeSet<String> {
        self.components.keys().cloned().collect()
    }

    fn callers(&self, component: &str) -> BTreeSet<String> {
        // The links of clients and of the clock have names of their own.
        let linked = self.links.callers(component).into_iter();
        let mut callers: BTreeSet<_> = linked
            .filter(|caller| self.components.contains_key(caller))
            .collect();
        callers.insert(OUTSIDE.to_owned());
        if self
            .subscriptions
            .iter()
            .any(|it| it.component == component)
        {
            callers.insert(EVENTS.to_owned());
        }
        callers
    }

    fn callers_of_origin(&self, origin: &str) -> BTreeSet<String> {
        let (scheme, _) = origin.split_once("://").unwrap_or_default();
        let may_call = self
            .allowed_hosts
            .iter()
            .filter(|(_, hosts)| hosts.allows_url(origin, scheme));
        may_call.map(|(component, _)| component.clone()).collect()
    }
}
