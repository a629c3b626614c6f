//! The faults that are active on a platform: where they apply, and when they end.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use config::manifest::is_chaining_host;
use config::policy::links::origin;
use http::Uri;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize, Serializer};
use tracing::info;

use super::ANY_REMOTE;

/// The longest duration of a fault, in seconds.
const MAX_SECONDS: u64 = 3600;

/// The most active faults.
const MAX_ACTIVE: usize = 100;

/// The effect of a fault on a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Fault {
    /// The call waits for `latency_ms` first.
    Latency,
    /// The response is 503, like any failure, and no instance gets the call.
    Error,
    /// The instance traps.
    Trap,
    /// The instance computes until the deadline.
    Spin,
    /// The instance takes all the memory it can get.
    Hoard,
    /// The event is not delivered now; it is delivered again later, and does not count as failed.
    Drop,
}

/// A fault that an operator orders.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultSpec {
    /// The target: a component, `outbound` for every remote host, or one remote origin.
    pub to: String,
    /// The caller: a component, `outside` or `events`; absent for every caller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The effect.
    pub fault: Fault,
    /// The delay of `latency`, in milliseconds.
    #[serde(default)]
    pub latency_ms: u64,
    /// The share of the calls, more than 0 and at most 1.
    #[serde(default = "always")]
    pub rate: f64,
    /// The duration, in seconds.
    pub seconds: u64,
}

/// A fault that is active.
#[derive(Clone, Debug, Serialize)]
pub struct ActiveFault {
    /// The id by which it can be ended early.
    pub id: u64,
    /// The fault.
    #[serde(flatten)]
    pub spec: FaultSpec,
    /// When it ends by itself. A client that counts down needs no clock in common with this host.
    #[serde(rename = "remaining_ms", serialize_with = "milliseconds_until")]
    until: Instant,
}

/// The calls of an application that a fault can affect.
pub trait InjectableCalls {
    /// The components.
    fn components(&self) -> BTreeSet<String>;

    /// The callers of a component: the components with a link to it, `outside`, and `events` if it has a subscription.
    fn callers(&self, component: &str) -> BTreeSet<String>;

    /// The components that may call a remote origin.
    fn callers_of_origin(&self, origin: &str) -> BTreeSet<String>;
}

/// All active faults of a host.
#[derive(Default)]
pub struct FaultInjector(Mutex<ActiveFaults>);

#[derive(Default)]
struct ActiveFaults {
    last: u64,
    running: BTreeMap<u64, ActiveFault>,
}

fn always() -> f64 {
    1.0
}

fn milliseconds_until<S: Serializer>(end: &Instant, serializer: S) -> Result<S::Ok, S::Error> {
    let remaining = end.saturating_duration_since(Instant::now());
    serializer.serialize_u64(u64::try_from(remaining.as_millis()).unwrap_or(u64::MAX))
}

/// The origin that a remote target names, in the form of those that requests have.
///
/// # Errors
/// When no request has such an origin. The message has no part of the target, which may contain a password.
fn remote_origin(target: &str) -> Result<String, String> {
    let is_complete = |uri: &Uri| {
        let authority = uri.authority();
        authority.is_some_and(|it| {
            let host = it.host();
            !host.is_empty() && (it.as_str() == host || it.port_u16().is_some())
        })
    };
    let is_bare = |uri: &Uri| {
        !target.contains(['@', '?', '#', '*'])
            && matches!(uri.scheme_str(), Some("http" | "https"))
            && matches!(uri.path(), "" | "/")
            && is_complete(uri)
    };
    let uri: Option<Uri> = target.parse().ok();
    let uri = uri.filter(is_bare);
    let origin = uri.as_ref().and_then(origin).ok_or(
        "to: write a remote host as http://host, https://host or https://host:port, without a user, a path, a query or a fragment",
    )?;
    match is_chaining_host(&origin) {
        true => {
            Err("to: this is the host of a component: write the id of the component".to_owned())
        }
        false => Ok(origin),
    }
}

// === impl FaultSpec ===

impl FaultSpec {
    /// Checks that the link exists: a fault on another one would never take effect.
    ///
    /// # Errors
    /// The name or the link that does not exist, and those that do, or what is wrong with a remote target.
    pub fn check_names(&self, calls: &impl InjectableCalls) -> Result<(), String> {
        let components = calls.components();
        let to = &self.to;
        let callers = if self.is_origin() {
            calls.callers_of_origin(&remote_origin(to)?)
        } else if to == ANY_REMOTE {
            // Only a component sends requests to remote hosts.
            components
        } else if components.contains(to) {
            calls.callers(to)
        } else {
            let known = joined(&components, |component| component.clone());
            return Err(format!(
                "to: there is no component `{to}`; known here: {known}, {ANY_REMOTE}"
            ));
        };
        if callers.is_empty() {
            return Err(
                "to: no component may call this host: it is not in the `allowed_outbound_hosts` of any".to_owned(),
            );
        }
        match &self.from {
            Some(from) if !callers.contains(from) => Err(format!(
                "from: there is no link from `{from}` to this target; links here: {}",
                joined(&callers, |caller| format!("{caller} -> {to}"))
            )),
            _ => Ok(()),
        }
    }
}

fn joined(names: &BTreeSet<String>, text: impl Fn(&String) -> String) -> String {
    let texts: Vec<_> = names.iter().map(text).collect();
    texts.join(", ")
}

// === impl FaultInjector ===

impl FaultInjector {
    /// Activates a fault.
    ///
    /// # Errors
    /// When a value is invalid; the message names the valid ones.
    pub fn begin(&self, mut spec: FaultSpec) -> Result<ActiveFault, String> {
        if spec.is_origin() {
            spec.to = remote_origin(&spec.to)?;
        }
        if !(1..=MAX_SECONDS).contains(&spec.seconds) {
            return Err(format!("seconds: must be a number from 1 to {MAX_SECONDS}"));
        }
        if !(spec.rate > 0.0 && spec.rate <= 1.0) {
            return Err("rate: must be more than 0 and at most 1".to_owned());
        }
        if spec.is_remote() && !matches!(spec.fault, Fault::Latency | Fault::Error) {
            return Err("fault: must be `latency` or `error` for a remote host".to_owned());
        }
        let is_delayed = spec.fault == Fault::Latency;
        if is_delayed != (spec.latency_ms > 0) {
            return Err(
                "latency_ms: must be set for the fault `latency`, and for no other".to_owned(),
            );
        }
        let mut active = self.0.lock();
        active.expire(Instant::now());
        if active.running.len() >= MAX_ACTIVE {
            return Err(format!("{MAX_ACTIVE} faults are active: end one first"));
        }
        active.last += 1;
        let running = ActiveFault {
            id: active.last,
            until: Instant::now() + Duration::from_secs(spec.seconds),
            spec,
        };
        let FaultSpec {
            to, fault, seconds, ..
        } = &running.spec;
        let fault = fault.as_str();
        info!(to, fault, seconds, "fault injection starts");
        active.running.insert(running.id, running.clone());
        Ok(running)
    }

    /// The active faults.
    pub fn list(&self) -> Vec<ActiveFault> {
        let mut active = self.0.lock();
        active.expire(Instant::now());
        active.running.values().cloned().collect()
    }

    /// Ends a fault; returns whether it was active.
    pub fn end(&self, id: u64) -> bool {
        let ended = self.0.lock().running.remove(&id);
        ended.iter().for_each(ActiveFault::log_end);
        ended.is_some()
    }

    /// Ends all faults.
    pub fn end_all(&self) {
        let ended = std::mem::take(&mut self.0.lock().running);
        ended.values().for_each(ActiveFault::log_end);
    }

    /// Ends the faults whose time is over. Without a call, they have no effect but are still in the list.
    pub fn end_expired(&self) {
        self.0.lock().expire(Instant::now());
    }

    /// The faults for one call.
    pub(super) fn matching(&self, from: &str, to: &str) -> Vec<(Fault, Duration)> {
        let mut active = self.0.lock();
        active.expire(Instant::now());
        let specs = active.running.values().map(|running| &running.spec);
        specs
            .filter(|it| it.matches_target(to) && it.from.as_deref().is_none_or(|it| it == from))
            .filter(|it| fastrand::f64() < it.rate)
            .map(|it| (it.fault, Duration::from_millis(it.latency_ms)))
            .collect()
    }
}

impl FaultSpec {
    fn is_remote(&self) -> bool {
        self.to == ANY_REMOTE || self.is_origin()
    }

    fn is_origin(&self) -> bool {
        self.to.contains("://")
    }

    /// Whether the fault applies to this component or origin.
    fn matches_target(&self, to: &str) -> bool {
        self.to == to || (self.to == ANY_REMOTE && to.contains("://"))
    }
}

impl Fault {
    /// Its name in JSON.
    fn as_str(self) -> &'static str {
        match self {
            Self::Latency => "latency",
            Self::Error => "error",
            Self::Trap => "trap",
            Self::Spin => "spin",
            Self::Hoard => "hoard",
            Self::Drop => "drop",
        }
    }
}

impl ActiveFault {
    fn log_end(&self) {
        let (to, fault) = (&self.spec.to, self.spec.fault.as_str());
        info!(to, fault, "fault injection ends");
    }
}

impl ActiveFaults {
    fn expire(&mut self, now: Instant) {
        self.running.retain(|_, running| {
            let is_active = now < running.until;
            if !is_active {
                running.log_end();
            }
            is_active
        });
    }
}

#[cfg(test)]
mod tests {
    use super::super::{EVENTS, OUTSIDE};
    use super::*;

    fn spec() -> FaultSpec {
        FaultSpec {
            to: "payment".to_owned(),
            from: Some("reservation".to_owned()),
            fault: Fault::Error,
            latency_ms: 0,
            rate: 1.0,
            seconds: 60,
        }
    }

    /// `car` and `reservation -> payment`, of which `payment` may call `bank` and has a subscription.
    struct Calls;

    fn names<const N: usize>(names: [&str; N]) -> BTreeSet<String> {
        names.map(str::to_owned).into()
    }

    impl InjectableCalls for Calls {
        fn components(&self) -> BTreeSet<String> {
            names(["car", "payment", "reservation"])
        }

        fn callers(&self, component: &str) -> BTreeSet<String> {
            match component {
                "payment" => names([OUTSIDE, EVENTS, "reservation"]),
                _ => names([OUTSIDE]),
            }
        }

        fn callers_of_origin(&self, origin: &str) -> BTreeSet<String> {
            match origin.contains("nowhere") {
                true => BTreeSet::new(),
                false => names(["payment"]),
            }
        }
    }

    #[test]
    fn a_fault_on_a_link_that_does_not_exist_is_refused() {
        let check = |to: &str, from: Option<&str>| {
            let spec = FaultSpec {
                to: to.to_owned(),
                from: from.map(str::to_owned),
                ..spec()
            };
            spec.check_names(&Calls)
        };
        for (to, from) in [
            ("car", None),
            ("outbound", Some("car")),
            ("https://host:443", Some("payment")),
            ("payment", Some("events")),
            ("payment", Some("outside")),
            ("payment", Some("reservation")),
        ] {
            assert_eq!(check(to, from), Ok(()), "{to}");
        }
        for (to, from, refusal) in [
            ("paymnt", None, "`paymnt`; known here: car, payment"),
            (
                "car",
                Some("outsid"),
                "`outsid` to this target; links here: outside -> car",
            ),
            ("car", Some("reservation"), "links here: outside -> car"),
            ("car", Some("events"), "links here: outside -> car"),
            (
                "payment",
                Some("car"),
                "events -> payment, outside -> payment, reservation -> payment",
            ),
            (
                "https://bank",
                Some("car"),
                "links here: payment -> https://bank",
            ),
            ("https://nowhere", None, "allowed_outbound_hosts"),
        ] {
            let refused = check(to, from).unwrap_err();
            assert!(refused.contains(refusal), "{to}: {refused}");
        }
    }

    #[test]
    fn a_remote_target_is_the_origin_of_requests() {
        let begin = |to: &str, from: &str| {
            let remote = FaultSpec {
                to: to.to_owned(),
                from: Some(from.to_owned()),
                ..spec()
            };
            remote.check_names(&Calls)?;
            FaultInjector::default().begin(remote)
        };
        for (to, origin) in [
            ("https://bank", "https://bank:443"),
            ("https://Bank.Example/", "https://bank.example:443"),
            ("HTTPS://bank:443", "https://bank:443"),
            ("http://bank:8080/", "http://bank:8080"),
            ("http://[::1]", "http://[::1]:80"),
        ] {
            let begun = begin(to, "payment").unwrap();
            assert_eq!(begun.spec.to, origin);
            assert!(begun.spec.matches_target(origin));
        }
        for to in [
            "https://user:hunter2@bank",
            "https://hunter2@bank:443",
            "https://bank/hunter2",
            "https://bank?hunter2",
            "https://bank/#hunter2",
            "https://bank#hunter2",
            "https://",
            "https://:443",
            "https://bank:",
            "https://bank:99999",
            "redis://bank:6379",
            "://bank",
            "https://*",
            "https://two words",
        ] {
            let refused = begin(to, "payment").unwrap_err();
            assert!(refused.contains("https://host:port"), "{to}: {refused}");
            assert!(!refused.contains("hunter2"), "{refused}");
        }
        let refused = begin("http://Payment.Spin.internal", "payment").unwrap_err();
        assert!(refused.contains("the id of the component"), "{refused}");
        for to in [ANY_REMOTE, "https://bank"] {
            for from in [OUTSIDE, EVENTS] {
                let refused = begin(to, from).unwrap_err();
                assert!(refused.contains(&format!("payment -> {to}")), "{refused}");
            }
        }
    }

    #[test]
    fn a_fault_applies_to_its_link_only() {
        let injector = FaultInjector::default();
        let id = injector.begin(spec()).unwrap().id;
        assert_eq!(injector.matching("reservation", "payment").len(), 1);
        assert_eq!(injector.matching(OUTSIDE, "payment").len(), 0);
        assert_eq!(injector.matching("reservation", "car").len(), 0);
        assert!(injector.end(id));
        assert_eq!(injector.matching("reservation", "payment").len(), 0);
    }

    #[test]
    fn a_fault_applies_to_one_remote_host_or_to_all() {
        let matching = |to: &str| {
            let injector = FaultInjector::default();
            let outbound = FaultSpec {
                to: to.to_owned(),
                ..spec()
            };
            injector.begin(outbound).unwrap();
            ["https://bank:443", "https://post:443", "payment"]
                .map(|to| injector.matching("reservation", to).len())
        };
        assert_eq!(matching(ANY_REMOTE), [1, 1, 0]);
        assert_eq!(matching("https://bank:443"), [1, 0, 0]);
    }

    #[test]
    fn a_fault_ends_by_itself() {
        let injector = FaultInjector::default();
        let until = injector.begin(spec()).unwrap().until;
        let mut active = injector.0.lock();
        active.expire(until - Duration::from_millis(1));
        assert_eq!(active.running.len(), 1);
        active.expire(until);
        assert!(active.running.is_empty());
    }

    #[test]
    fn a_fault_says_how_long_it_remains() {
        let injector = FaultInjector::default();
        let mut fault = injector.begin(spec()).unwrap();
        fault.until -= Duration::from_secs(20);
        let remaining = |fault: &ActiveFault| {
            let fault = serde_json::to_value(fault).unwrap();
            assert_eq!(fault["seconds"], 60);
            fault["remaining_ms"].as_u64().unwrap()
        };
        let left = remaining(&fault);
        assert!((1..=40_000).contains(&left), "{left}");
        fault.until -= Duration::from_secs(60);
        assert_eq!(remaining(&fault), 0);
    }

    #[test]
    fn an_invalid_fault_is_rejected() {
        let injector = FaultInjector::default();
        for bad in [
            FaultSpec {
                seconds: 0,
                ..spec()
            },
            FaultSpec {
                seconds: MAX_SECONDS + 1,
                ..spec()
            },
            FaultSpec {
                rate: 0.0,
                ..spec()
            },
            FaultSpec {
                rate: f64::NAN,
                ..spec()
            },
            FaultSpec {
                latency_ms: 5,
                ..spec()
            },
            FaultSpec {
                fault: Fault::Latency,
                ..spec()
            },
            FaultSpec {
                to: ANY_REMOTE.to_owned(),
                fault: Fault::Trap,
                ..spec()
            },
        ] {
            assert!(injector.begin(bad).is_err());
        }
    }
}
