//! The platform of one component: its stores, the event log over Redis, the clock.

use super::{store::SpinStore, timeout::with_timeout, variables::variable};
use crate::platform::{LogError, Platform};
use events::Timestamp;
use spin_sdk::redis::{self, Connection, RedisParameter};
use std::{
    cell::{OnceCell, RefCell},
    rc::Rc,
    time::{Duration, SystemTime},
};

/// Maximum time of one append.
const TIMEOUT: Duration = Duration::from_secs(2);

/// The random numbers that are kept for later calls when the host is asked for some.
const RANDOM_NUMBERS_AT_ONCE: usize = 31;

/// The platform of one component.
pub struct SpinPlatform {
    state: SpinStore,
    outbox: SpinStore,
}

impl SpinPlatform {
    /// The platform with the stores `<context>` and `<context>-outbox`.
    #[must_use]
    pub fn new(context: &str) -> Self {
        Self {
            state: SpinStore::new(context),
            outbox: SpinStore::new(&format!("{context}-outbox")),
        }
    }
}

impl Platform for SpinPlatform {
    type Store = SpinStore;

    fn state(&self) -> &SpinStore {
        &self.state
    }

    fn outbox(&self) -> &SpinStore {
        &self.outbox
    }

    /// The stream is the log. The message on the channel of the same name wakes a plain Redis trigger; a server that
    /// does not allow it to this user keeps the event all the same.
    async fn append(&self, stream: &str, event: &str) -> Result<(), LogError> {
        let append = async {
            let connection = connection().await?;
            let text = |text: &str| RedisParameter::Binary(text.into());
            let entry = [text(stream), text("*"), text("event"), text(event)];
            connection.execute("XADD", entry).await?;
            if connection.publish(stream, event).await.is_err() {
                // Stock Spin does not repair a broken connection: the next append opens a new one.
                CONNECTION.with_borrow_mut(|cached| *cached = None);
            }
            Ok(())
        };
        let outcome = with_timeout(TIMEOUT, append).await;
        if !matches!(outcome, Some(Ok(()))) {
            CONNECTION.with_borrow_mut(|cached| *cached = None);
        }
        match outcome {
            Some(Ok(())) => Ok(()),
            Some(Err(redis::Error::Other(why))) => Err(LogError(why)),
            Some(Err(error)) => Err(LogError(format!("{error:?}"))),
            None => Err(LogError(format!(
                "no answer within {} s",
                TIMEOUT.as_secs()
            ))),
        }
    }

    fn now(&self) -> Timestamp {
        SystemTime::now().into()
    }

    /// `socar` names itself in the environment of its instances; other hosts have no names.
    fn host(&self) -> String {
        HOST.with(|host| {
            host.get_or_init(|| std::env::var("SOCAR_HOST").unwrap_or_default())
                .clone()
        })
    }

    fn unique_id(&self) -> String {
        format!("{:032x}", random_number())
    }

    async fn sleep(&self, duration: Duration) {
        spin_sdk::time::sleep(duration).await;
    }

    async fn variable(&self, name: &str) -> Option<String> {
        Some(variable(name).await).filter(|value| !value.is_empty())
    }
}

/// A random number that no other call returns.
fn random_number() -> u128 {
    RANDOM_NUMBERS.with_borrow_mut(|numbers| {
        if let Some(number) = numbers.pop() {
            return number;
        }
        let mut bytes = [[0; 16]; RANDOM_NUMBERS_AT_ONCE + 1];
        #[expect(
            clippy::expect_used,
            reason = "without random numbers, two commits could have one id; a trap ends this call alone"
        )]
        getrandom::fill(bytes.as_flattened_mut()).expect("the random source of WASI cannot fail");
        let [first, rest @ ..] = bytes;
        numbers.extend(rest.map(u128::from_be_bytes));
        u128::from_be_bytes(first)
    })
}

thread_local! {
    /// The name of the host.
    static HOST: OnceCell<String> = const { OnceCell::new() };
    /// Random numbers that no call has returned yet.
    static RANDOM_NUMBERS: RefCell<Vec<u128>> = const { RefCell::new(Vec::new()) };
    /// Kept between requests: on stock Spin every `open` makes a new TCP connection.
    static CONNECTION: RefCell<Option<Rc<Connection>>> = const { RefCell::new(None) };
}

async fn connection() -> Result<Rc<Connection>, redis::Error> {
    if let Some(cached) = CONNECTION.with_borrow(Clone::clone) {
        return Ok(cached);
    }
    let opened = Rc::new(Connection::open(variable("redis_address").await).await?);
    CONNECTION.with_borrow_mut(|cached| *cached = Some(Rc::clone(&opened)));
    Ok(opened)
}
