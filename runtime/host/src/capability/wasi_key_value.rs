//! `wasi:keyvalue`: the same stores with batches, counters and compare-and-swap.
//!
//! A swap succeeds if and only if the key still has the value, or the absence of one, that the handle remembers; the
//! backend compares and writes in one atomic step. A failed swap returns a handle with the newest value, so that a retry
//! needs no further read.

use wasmtime::component::Resource;

use super::View;
use super::bindings::wasi::keyvalue::{atomics, batch, store};
use super::key_value::GuestStore;
use crate::byte_budget::{ByteBudgetExceeded, ByteReservation};
use crate::store::{KeyPage, StoreError};
use store::Error;

/// A compare-and-swap handle: a key and the value that was read.
pub struct Cas {
    store: GuestStore,
    key: String,
    seen: Option<Vec<u8>>,
    _reservation: ByteReservation,
}

type WasiResult<A> = wasmtime::Result<Result<A, Error>>;

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        Self::Other(error.to_string())
    }
}

impl From<ByteBudgetExceeded> for Error {
    fn from(error: ByteBudgetExceeded) -> Self {
        Self::Other(error.to_string())
    }
}

impl View<'_> {
    /// A handle that remembers the value, if the byte budget allows it.
    fn remember(
        &mut self,
        store: GuestStore,
        key: String,
        seen: Option<Vec<u8>>,
    ) -> WasiResult<Resource<Cas>> {
        let length = key.len() + seen.as_ref().map_or(0, Vec::len);
        let reserved = match self.byte_budget.reserve(length) {
            Ok(reserved) => reserved,
            Err(error) => return Ok(Err(error.into())),
        };
        Ok(Ok(self.table.push(Cas {
            store,
            key,
            seen,
            _reservation: reserved,
        })?))
    }
}

impl store::Host for View<'_> {
    async fn open(&mut self, label: String) -> WasiResult<Resource<GuestStore>> {
        Ok(self.open_store(&label)?.ok_or(Error::AccessDenied))
    }
}

impl store::HostBucket for View<'_> {
    async fn get(
        &mut self,
        bucket: Resource<GuestStore>,
        key: String,
    ) -> WasiResult<Option<Vec<u8>>> {
        let (store, mut operation) = self.begin_on(&bucket, "get")?;
        let done = operation.wait(store.get(&key)).await;
        Ok(done.map_err(Error::from))
    }

    async fn set(
        &mut self,
        bucket: Resource<GuestStore>,
        key: String,
        value: Vec<u8>,
    ) -> WasiResult<()> {
        let (store, mut operation) = self.begin_on(&bucket, "set")?;
        let done = operation.wait(store.set(&key, &value)).await;
        Ok(done.map_err(Error::from))
    }

    async fn delete(&mut self, bucket: Resource<GuestStore>, key: String) -> WasiResult<()> {
        let (store, mut operation) = self.begin_on(&bucket, "delete")?;
        let done = operation.wait(store.delete(&key)).await;
        Ok(done.map_err(Error::from))
    }

    async fn exists(&mut self, bucket: Resource<GuestStore>, key: String) -> WasiResult<bool> {
        let (store, mut operation) = self.begin_on(&bucket, "exists")?;
        let done = operation.wait(store.exists(&key)).await;
        Ok(done.map_err(Error::from))
    }

    async fn list_keys(
        &mut self,
        bucket: Resource<GuestStore>,
        cursor: Option<String>,
    ) -> WasiResult<store::KeyResponse> {
        let (store, mut operation) = self.begin_on(&bucket, "list-keys")?;
        let page = operation.wait(store.keys(cursor.as_deref())).await;
        Ok(page
            .map_err(Error::from)
            .map(|KeyPage { keys, cursor }| store::KeyResponse { keys, cursor }))
    }

    async fn drop(&mut self, bucket: Resource<GuestStore>) -> wasmtime::Result<()> {
        self.table.delete(bucket)?;
        Ok(())
    }
}

impl batch::Host for View<'_> {
    async fn get_many(
        &mut self,
        bucket: Resource<GuestStore>,
        keys: Vec<String>,
    ) -> WasiResult<Vec<(String, Option<Vec<u8>>)>> {
        let (store, mut operation) = self.begin_on(&bucket, "get-many")?;
        let values = operation.wait(store.get_many(&keys)).await;
        Ok(values
            .map_err(Error::from)
            .map(|values| keys.into_iter().zip(values).collect()))
    }

    async fn set_many(
        &mut self,
        bucket: Resource<GuestStore>,
        pairs: Vec<(String, Vec<u8>)>,
    ) -> WasiResult<()> {
        let (store, mut operation) = self.begin_on(&bucket, "set-many")?;
        let done = operation.wait(store.set_many(&pairs)).await;
        Ok(done.map_err(Error::from))
    }

    async fn delete_many(
        &mut self,
        bucket: Resource<GuestStore>,
        keys: Vec<String>,
    ) -> WasiResult<()> {
        let (store, mut operation) = self.begin_on(&bucket, "delete-many")?;
        let done = operation.wait(store.delete_many(&keys)).await;
        Ok(done.map_err(Error::from))
    }
}

impl atomics::Host for View<'_> {
    async fn increment(
        &mut self,
        bucket: Resource<GuestStore>,
        key: String,
        delta: i64,
    ) -> WasiResult<i64> {
        let (store, mut operation) = self.begin_on(&bucket, "increment")?;
        let done = operation.wait(store.increment(&key, delta)).await;
        Ok(done.map_err(Error::from))
    }

    async fn swap(
        &mut self,
        handle: Resource<Cas>,
        value: Vec<u8>,
    ) -> wasmtime::Result<Result<(), atomics::CasError>> {
        let Cas {
            store, key, seen, ..
        } = self.table.delete(handle)?;
        let mut operation = self.store_operation(&store, "swap");
        let values = store.store.clone();
        let swap = values.compare_and_swap(&key, seen.as_deref(), &value);
        let newest = match operation.wait(swap).await {
            Ok(true) => return Ok(Ok(())),
            Ok(false) => operation.wait(values.get(&key)).await,
            Err(error) => Err(error),
        };
        let seen = match newest {
            Ok(seen) => seen,
            Err(error) => return Ok(Err(atomics::CasError::StoreError(error.into()))),
        };
        Ok(Err(match self.remember(store, key, seen)? {
            Ok(retry) => atomics::CasError::CasFailed(retry),
            Err(error) => atomics::CasError::StoreError(error),
        }))
    }
}

impl atomics::HostCas for View<'_> {
    async fn new(
        &mut self,
        bucket: Resource<GuestStore>,
        key: String,
    ) -> WasiResult<Resource<Cas>> {
        let opened = self.store(&bucket)?;
        let mut operation = self.store_operation(&opened, "get");
        match operation.wait(opened.store.get(&key)).await {
            Ok(seen) => self.remember(opened, key, seen),
            Err(error) => Ok(Err(error.into())),
        }
    }

    async fn current(&mut self, handle: Resource<Cas>) -> WasiResult<Option<Vec<u8>>> {
        Ok(Ok(self.table.get(&handle)?.seen.clone()))
    }

    async fn drop(&mut self, handle: Resource<Cas>) -> wasmtime::Result<()> {
        self.table.delete(handle)?;
        Ok(())
    }
}
