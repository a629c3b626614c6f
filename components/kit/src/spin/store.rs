//! One label of `key_value_stores`. Plain operations use `spin:key-value`, whose calls are asynchronous:
//! other requests of the instance proceed meanwhile. Atomic operations use `wasi:keyvalue`.

use super::timeout::with_timeout;
use crate::store::{Store, StoreError, SwapOutcome};
use spin_sdk::{
    experimental::wasi::keyvalue::{
        atomics::{self, Cas, CasError},
        store::{self, Bucket},
    },
    key_value,
};
use std::{
    cell::{OnceCell, RefCell},
    collections::BTreeMap,
    rc::Rc,
    time::Duration,
};

/// Maximum time of one plain operation. The host bounds the atomic ones, which are synchronous.
const TIMEOUT: Duration = Duration::from_secs(2);

thread_local! {
    /// The handles of this instance by label, kept between requests: an `open` costs as much as a lookup.
    static OPEN: RefCell<BTreeMap<String, Rc<Handles>>> = const { RefCell::new(BTreeMap::new()) };
}

/// The store of one label. It is opened at its first use.
pub struct SpinStore {
    label: String,
    handles: Rc<Handles>,
}

/// The handles of one store, one for each interface.
#[derive(Default)]
struct Handles {
    plain: OnceCell<key_value::Store>,
    atomic: OnceCell<Bucket>,
}

impl SpinStore {
    /// The store with this label in the manifest.
    #[must_use]
    pub fn new(label: &str) -> Self {
        let label = label.to_owned();
        let open = OPEN.with_borrow_mut(|open| Rc::clone(open.entry(label.clone()).or_default()));
        Self {
            label,
            handles: open,
        }
    }

    async fn plain(&self) -> Result<&key_value::Store, StoreError> {
        if self.handles.plain.get().is_none() {
            let opened = bounded(key_value::Store::open(&self.label)).await?;
            return Ok(self.handles.plain.get_or_init(|| opened));
        }
        self.handles.plain.get().ok_or_else(timed_out)
    }

    fn atomic(&self) -> Result<&Bucket, StoreError> {
        if let Some(bucket) = self.handles.atomic.get() {
            return Ok(bucket);
        }
        let opened = store::open(&self.label).map_err(failed)?;
        Ok(self.handles.atomic.get_or_init(|| opened))
    }

    /// After a failure, the next request opens the store again: the connection behind a handle may be broken.
    fn checked<T>(&self, done: Result<T, StoreError>) -> Result<T, StoreError> {
        if done.is_err() {
            OPEN.with_borrow_mut(|open| {
                open.retain(|_, handles| !Rc::ptr_eq(handles, &self.handles));
            });
        }
        done
    }
}

impl Store for SpinStore {
    type CasToken = Cas;

    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.checked(bounded(self.plain().await?.get(key)).await)
    }

    async fn set(&self, key: &str, value: &[u8]) -> Result<(), StoreError> {
        self.checked(bounded(self.plain().await?.set(key, value)).await)
    }

    async fn delete(&self, key: &str) -> Result<(), StoreError> {
        self.checked(bounded(self.plain().await?.delete(key)).await)
    }

    async fn exists(&self, key: &str) -> Result<bool, StoreError> {
        self.checked(bounded(self.plain().await?.exists(key)).await)
    }

    async fn increment(&self, key: &str, delta: i64) -> Result<i64, StoreError> {
        self.checked(atomics::increment(self.atomic()?, key, delta).map_err(failed))
    }

    /// Uses `list-keys`, which returns a buffered page: Spin's streamed `get-keys` holds a connection while
    /// the guest reads, and can block the whole process.
    async fn keys(&self) -> Result<Vec<String>, StoreError> {
        let bucket = self.atomic()?;
        let mut keys = Vec::new();
        let mut cursor = None;
        loop {
            let page = self.checked(bucket.list_keys(cursor.as_deref()).map_err(failed))?;
            keys.extend(page.keys);
            cursor = page.cursor;
            if cursor.is_none() {
                return Ok(keys);
            }
        }
    }

    async fn get_for_swap(&self, key: &str) -> Result<(Option<Vec<u8>>, Cas), StoreError> {
        let cas = self.checked(Cas::new(self.atomic()?, key).map_err(failed))?;
        let current = self.checked(cas.current().map_err(failed))?;
        Ok((current, cas))
    }

    async fn compare_and_swap(&self, token: Cas, value: &[u8]) -> Result<SwapOutcome, StoreError> {
        match atomics::swap(token, value) {
            Ok(()) => Ok(SwapOutcome::Written),
            Err(CasError::CasFailed(_)) => Ok(SwapOutcome::Conflict),
            Err(CasError::StoreError(error)) => self.checked(Err(failed(error))),
        }
    }
}

async fn bounded<T>(
    call: impl Future<Output = Result<T, key_value::Error>>,
) -> Result<T, StoreError> {
    let result = with_timeout(TIMEOUT, call).await.ok_or_else(timed_out)?;
    result.map_err(|error| match error {
        key_value::Error::Other(why) => StoreError(why),
        other => StoreError(format!("{other:?}")),
    })
}

fn failed(error: store::Error) -> StoreError {
    match error {
        store::Error::Other(why) => StoreError(why),
        other => StoreError(format!("{other:?}")),
    }
}

fn timed_out() -> StoreError {
    StoreError(format!("no answer within {} s", TIMEOUT.as_secs()))
}
