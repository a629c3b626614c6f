//! What one client may use of the platform: a rate of requests, a number of them at the same time, and a number of bytes
//! that they make the platform keep.
//!
//! How many bytes a request leaves in the stores and in the log depends on the component, and some of them are removed
//! again. The host therefore counts what it knows: the bodies of requests that change something, and a fixed amount for
//! each of these requests. A component keeps a multiple of that at most. The bytes are counted when the body has arrived,
//! so that no request exceeds the budget, whatever length it declared.
//!
//! A client is the user of an access token, or else the address that the request comes from. The platform itself has no
//! limit, and neither has an open platform that only this machine reaches. The number of clients that are counted apart is
//! bounded; beyond it, further clients share one count.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ::http::{HeaderMap, HeaderName};
use config::policy::ListenerLimits;
use parking_lot::Mutex;

use crate::principal::CallPrincipal;
use crate::problem::Problem;

/// The most clients that are counted apart.
const MAX_CLIENTS: usize = 10_000;

/// What a request counts besides its body, in bytes: about what a reservation leaves in the stores and in the log.
const BYTES_OF_REQUEST: u64 = 4096;

/// The time in which a used budget of bytes is full again, in seconds.
const BYTES_WINDOW: f64 = 3600.0;

/// The addresses through which proxies received a request, the client first.
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// A client that is counted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ClientKey {
    /// The user of an access token, as in the header of the principal.
    User(String),
    /// An address; of IPv6, the network that one customer of a provider has.
    Address(IpAddr),
    /// Every client beyond the number that is counted apart.
    Other,
}

/// The clients and what they use.
#[derive(Clone, Default)]
pub struct ClientLimits(Arc<Mutex<HashMap<ClientKey, ClientUse>>>);

struct ClientUse {
    /// Requests that the client may send at once.
    tokens: f64,
    /// Bytes that the client may have kept.
    bytes: f64,
    at: Instant,
    in_flight: usize,
}

/// A request in progress. Dropping it makes room for another one.
pub struct ClientPermit {
    limits: ClientLimits,
    key: ClientKey,
}

// === impl ClientKey ===

impl ClientKey {
    /// The client of a request; `None` for the platform itself. The headers contain those of trusted proxies only.
    pub fn of(
        principal: &CallPrincipal,
        headers: &HeaderMap,
        address: IpAddr,
        listener: &ListenerLimits,
    ) -> Option<Self> {
        let is_platform = *principal == CallPrincipal::platform();
        match principal.user_header() {
            _ if is_platform => None,
            Some(user) => Some(Self::User(user.to_owned())),
            None => {
                let is_trusted = |address: IpAddr| {
                    let mut proxies = listener.trusted_proxies.iter();
                    proxies.any(|trusted| trusted.contains(address))
                };
                let origin = origin_of(headers, address, is_trusted);
                Some(Self::Address(network(origin)))
            }
        }
    }
}

/// The address of the client behind trusted proxies: the last one in the list that is no such proxy.
fn origin_of(headers: &HeaderMap, address: IpAddr, is_trusted: impl Fn(IpAddr) -> bool) -> IpAddr {
    if !is_trusted(address) {
        return address;
    }
    let lines = headers.get_all(FORWARDED_FOR).iter().rev();
    let texts = lines.filter_map(|line| line.to_str().ok());
    let mut addresses = texts.flat_map(|line| line.rsplit(','));
    let forwarded = addresses.by_ref().map_while(|text| address_in(text.trim()));
    let mut last = address;
    for forwarded in forwarded {
        last = forwarded;
        if !is_trusted(forwarded) {
            break;
        }
    }
    last
}

/// The address in an element of the list; some proxies add the port of the client.
fn address_in(text: &str) -> Option<IpAddr> {
    let with_port = || text.parse().ok().map(|address: SocketAddr| address.ip());
    let in_brackets = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    let address = text.parse().ok();
    address.or_else(with_port).or_else(in_brackets)
}

/// The address, or of IPv6 the first 64 bits.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            let network = address.to_bits() & (u128::MAX << 64);
            IpAddr::V6(Ipv6Addr::from_bits(network))
        }
    }
}

// === impl ClientLimits ===

impl ClientLimits {
    /// Admits a request of a client.
    ///
    /// # Errors
    /// The problem, when the client sends too many requests.
    pub fn admit(
        &self,
        key: ClientKey,
        listener: &ListenerLimits,
    ) -> Result<ClientPermit, Problem> {
        self.admit_at(key, listener, Instant::now())
    }

    fn admit_at(
        &self,
        key: ClientKey,
        listener: &ListenerLimits,
        now: Instant,
    ) -> Result<ClientPermit, Problem> {
        let (rate, burst) = (listener.client_rate, listener.client_burst);
        let mut clients = self.0.lock();
        if clients.len() >= MAX_CLIENTS && !clients.contains_key(&key) {
            clients.retain(|_, client| {
                client.refill(listener, now);
                client.is_remembered(listener)
            });
        }
        let key = match clients.len() < MAX_CLIENTS || clients.contains_key(&key) {
            true => key,
            false => ClientKey::Other,
        };
        let client = clients.entry(key.clone()).or_insert(ClientUse {
            tokens: f64::from(burst),
            bytes: listener.client_bytes as f64,
            at: now,
            in_flight: 0,
        });
        client.refill(listener, now);
        if client.in_flight >= listener.client_requests {
            return Err(Problem::TooManyInFlight {
                most: listener.client_requests,
            });
        }
        if client.tokens < 1.0 {
            let wait = (1.0 - client.tokens) / f64::from(rate);
            return Err(Problem::TooManyRequests {
                rate,
                burst,
                retry_after: Duration::from_secs_f64(wait),
            });
        }
        client.tokens -= 1.0;
        client.in_flight += 1;
        Ok(ClientPermit {
            limits: self.clone(),
            key,
        })
    }
}

// === impl ClientUse ===

impl ClientUse {
    /// Adds what the time since the last request has given back.
    fn refill(&mut self, listener: &ListenerLimits, now: Instant) {
        let elapsed = now.saturating_duration_since(self.at).as_secs_f64();
        let refilled = |left: f64, rate: f64, most: f64| (left + elapsed * rate).min(most);
        let (rate, burst) = (listener.client_rate, listener.client_burst);
        self.tokens = refilled(self.tokens, f64::from(rate), f64::from(burst));
        let budget = listener.client_bytes as f64;
        self.bytes = refilled(self.bytes, budget / BYTES_WINDOW, budget);
        self.at = now;
    }

    /// Whether the client stays counted apart when there are too many clients. Bytes come back slowly, so that a client
    /// that has used few of them is forgotten: otherwise, a few bytes from each of many addresses would make all others
    /// share one count for an hour.
    fn is_remembered(&self, listener: &ListenerLimits) -> bool {
        self.in_flight > 0
            || self.tokens < f64::from(listener.client_burst)
            || self.bytes < listener.client_bytes as f64 / 2.0
    }
}

// === impl ClientPermit ===

impl ClientPermit {
    /// Takes a request that changes something, with a body of this length, from the bytes of the client.
    ///
    /// # Errors
    /// The problem, when the client has used up its bytes.
    pub fn keep(&self, length: u64, listener: &ListenerLimits) -> Result<(), Problem> {
        self.keep_at(length, listener, Instant::now())
    }

    fn keep_at(&self, length: u64, listener: &ListenerLimits, now: Instant) -> Result<(), Problem> {
        let mut clients = self.limits.0.lock();
        let Some(client) = clients.get_mut(&self.key) else {
            return Ok(());
        };
        client.refill(listener, now);
        let budget = listener.client_bytes as f64;
        // A body that is longer than the budget needs all of it.
        let wanted = ((length + BYTES_OF_REQUEST) as f64).min(budget);
        if client.bytes < wanted {
            let wait = (wanted - client.bytes) / (budget / BYTES_WINDOW);
            return Err(Problem::TooManyBytes {
                budget: listener.client_bytes as u64,
                left: client.bytes as u64,
                retry_after: Duration::from_secs_f64(wait),
            });
        }
        client.bytes -= wanted;
        Ok(())
    }
}

impl Drop for ClientPermit {
    fn drop(&mut self) {
        if let Some(client) = self.limits.0.lock().get_mut(&self.key) {
            client.in_flight = client.in_flight.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ::http::HeaderValue;

    fn listener() -> ListenerLimits {
        ListenerLimits {
            client_rate: 10,
            client_burst: 20,
            client_requests: 30,
            ..ListenerLimits::default()
        }
    }

    fn alice() -> ClientKey {
        ClientKey::User("customer alice".to_owned())
    }

    #[test]
    fn a_client_that_sends_too_fast_waits_and_others_do_not() {
        let (limits, listener, start) = (ClientLimits::default(), listener(), Instant::now());
        let admit = |key: ClientKey, at: Duration| limits.admit_at(key, &listener, start + at);
        for _ in 0..20 {
            assert!(admit(alice(), Duration::ZERO).is_ok());
        }
        let refused = admit(alice(), Duration::ZERO).err();
        let expected = Problem::TooManyRequests {
            rate: 10,
            burst: 20,
            retry_after: Duration::from_millis(100),
        };
        assert_eq!(refused, Some(expected));
        assert!(admit(ClientKey::User("customer bob".into()), Duration::ZERO).is_ok());
        assert!(admit(alice(), Duration::from_millis(110)).is_ok());
        assert!(admit(alice(), Duration::from_millis(120)).is_err());
    }

    #[test]
    fn the_requests_of_a_client_in_progress_are_bounded() {
        let listener = ListenerLimits {
            client_requests: 2,
            ..listener()
        };
        let limits = ClientLimits::default();
        let first = limits.admit(alice(), &listener);
        let second = limits.admit(alice(), &listener);
        let refused = limits.admit(alice(), &listener).err();
        assert_eq!(refused, Some(Problem::TooManyInFlight { most: 2 }));
        drop(first);
        assert!(limits.admit(alice(), &listener).is_ok());
        drop(second);
    }

    #[test]
    fn a_client_that_sends_too_many_bytes_waits_and_others_do_not() {
        let listener = ListenerLimits {
            client_bytes: 3_600_000,
            ..listener()
        };
        let (limits, start) = (ClientLimits::default(), Instant::now());
        let keep = |key: ClientKey, length: u64, at: u64| {
            let now = start + Duration::from_secs(at);
            let permit = limits.admit_at(key, &listener, now)?;
            permit.keep_at(length, &listener, now)
        };
        let half = 1_800_000 - BYTES_OF_REQUEST;
        assert_eq!(keep(alice(), half, 0), Ok(()));
        assert_eq!(keep(alice(), half, 0), Ok(()));
        let refused = Problem::TooManyBytes {
            budget: 3_600_000,
            left: 0,
            retry_after: Duration::from_millis(4096),
        };
        assert_eq!(keep(alice(), 0, 0), Err(refused));
        assert_eq!(
            keep(ClientKey::User("customer bob".into()), half, 0),
            Ok(())
        );
        // A refused request is not counted.
        assert_eq!(keep(alice(), 0, 5), Ok(()));
        // The longest body needs the whole budget.
        assert!(keep(alice(), 1 << 30, 3599).is_err());
        assert_eq!(keep(alice(), 1 << 30, 3605), Ok(()));
    }

    #[test]
    fn a_refusal_says_what_is_left() {
        let refused = Problem::TooManyBytes {
            budget: 1000,
            left: 7,
            retry_after: Duration::from_millis(1500),
        };
        let response = refused.response();
        assert_eq!(response.status(), 429);
        let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
        assert_eq!(header("retry-after"), "2");
        assert_eq!(header("ratelimit"), "\"bytes\";r=7;t=2");
        let policy = "\"bytes\";q=1000;qu=\"content-bytes\";w=3600";
        assert_eq!(header("ratelimit-policy"), policy);
    }

    #[test]
    fn a_client_that_used_many_bytes_is_not_forgotten_among_many_others() {
        let (limits, listener, now) = (ClientLimits::default(), listener(), Instant::now());
        let most = listener.client_bytes as u64 - BYTES_OF_REQUEST;
        let keep = |key: ClientKey, length: u64, now: Instant| {
            limits
                .admit_at(key, &listener, now)
                .and_then(|permit| permit.keep_at(length, &listener, now))
        };
        assert_eq!(keep(alice(), most, now), Ok(()));
        let later = now + Duration::from_secs(10);
        for number in 0..MAX_CLIENTS + 100 {
            let _ = keep(ClientKey::User(number.to_string()), 0, now);
        }
        assert!(keep(ClientKey::User("last".to_owned()), 0, later).is_ok());
        assert!(limits.0.lock().len() < 10);
        assert!(keep(alice(), most, later).is_err());
    }

    #[test]
    fn the_number_of_counted_clients_is_bounded() {
        let (limits, listener, now) = (ClientLimits::default(), listener(), Instant::now());
        for number in 0..MAX_CLIENTS + 100 {
            let key = ClientKey::User(number.to_string());
            let _ = limits.admit_at(key, &listener, now);
        }
        assert!(limits.0.lock().len() <= MAX_CLIENTS + 1);
        // Clients that have been silent make room.
        let later = now + Duration::from_secs(10);
        assert!(limits.admit_at(alice(), &listener, later).is_ok());
        assert!(limits.0.lock().len() < 10);
    }

    #[test]
    fn the_last_address_that_is_no_trusted_proxy_is_the_client() {
        let is_trusted = |address: IpAddr| address.is_loopback();
        let origin = |lines: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(FORWARDED_FOR, HeaderValue::from_static(line));
            }
            origin_of(&headers, "127.0.0.1".parse().unwrap(), is_trusted).to_string()
        };
        assert_eq!(origin(&[]), "127.0.0.1");
        assert_eq!(origin(&["6.6.6.6, 1.2.3.4"]), "1.2.3.4");
        assert_eq!(origin(&["6.6.6.6, 1.2.3.4, 127.0.0.2"]), "1.2.3.4");
        assert_eq!(origin(&["6.6.6.6", "1.2.3.4"]), "1.2.3.4");
        // With the port of the client, as some proxies write it.
        assert_eq!(origin(&["6.6.6.6, 1.2.3.4:5678"]), "1.2.3.4");
        assert_eq!(origin(&["[2001:db8::1]:443"]), "2001:db8::1");
        assert_eq!(origin(&["[2001:db8::1]"]), "2001:db8::1");
        // An element that is no address hides those before it.
        assert_eq!(origin(&["1.2.3.4, unknown"]), "127.0.0.1");
        assert_eq!(origin(&["unknown, 1.2.3.4"]), "1.2.3.4");
    }

    #[test]
    fn a_client_without_a_trusted_proxy_is_known_by_its_own_address() {
        let listener = listener();
        let of = |address: &str, forwarded: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(FORWARDED_FOR, HeaderValue::from_static(forwarded));
            let address = address.parse().unwrap();
            ClientKey::of(&CallPrincipal::Open, &headers, address, &listener)
        };
        let address = |text: &str| Some(ClientKey::Address(text.parse().unwrap()));
        assert_eq!(of("9.9.9.9", "1.2.3.4"), address("9.9.9.9"));
        assert_eq!(of("2001:db8::1", ""), address("2001:db8::"));
        let platform = CallPrincipal::platform();
        let local = "127.0.0.1".parse().unwrap();
        let key = ClientKey::of(&platform, &HeaderMap::new(), local, &listener);
        assert_eq!(key, None);
    }
}
