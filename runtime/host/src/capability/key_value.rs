//! `spin:key-value`: named stores of keys and bytes.
//!
//! `wasi:keyvalue` ([`super::wasi_key_value`]) uses the same handle.

use std::sync::Arc;

use wasmtime::component::{Accessor, FutureReader, Resource, StreamReader};

use super::bindings::spin::key_value::key_value::{Error, Host, HostStore, HostStoreWithStore};
use super::buffered_items::BufferedItems;
use super::store_operation::{self, StoreLabel, StoreOperation};
use super::{Capabilities, View};
use crate::store::{KeyValue, StoreError, all_keys};

/// A guest's handle to an open store.
#[derive(Clone)]
pub struct GuestStore {
    pub(super) store: Arc<dyn KeyValue>,
    label: StoreLabel,
}

type Keys = (StreamReader<String>, FutureReader<Result<(), Error>>);

impl View<'_> {
    /// A handle to the store with this label, if the manifest grants it.
    pub(super) fn open_store(
        &mut self,
        label: &str,
    ) -> wasmtime::Result<Option<Resource<GuestStore>>> {
        let Some(store) = self.grants.key_value_stores.get(label) else {
            self.grants.missing.note("key_value_stores", label);
            return Ok(None);
        };
        Ok(Some(self.table.push(GuestStore {
            store: store.clone(),
            label: store_operation::label(label),
        })?))
    }

    pub(super) fn store(&self, store: &Resource<GuestStore>) -> wasmtime::Result<GuestStore> {
        Ok(self.table.get(store)?.clone())
    }

    /// Begins an operation on the store of a handle.
    pub(super) fn begin_on(
        &self,
        handle: &Resource<GuestStore>,
        name: &'static str,
    ) -> wasmtime::Result<(Arc<dyn KeyValue>, StoreOperation)> {
        let opened = self.store(handle)?;
        let operation = self.store_operation(&opened, name);
        Ok((opened.store, operation))
    }

    /// Begins an operation on an open store.
    pub(super) fn store_operation(&self, store: &GuestStore, name: &'static str) -> StoreOperation {
        self.begin_operation(store.store.system(), name, &store.label)
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        Self::Other(error.to_string())
    }
}

fn store<T: Send + 'static>(
    accessor: &Accessor<T, Capabilities>,
    store: &Resource<GuestStore>,
    operation: &'static str,
) -> wasmtime::Result<(Arc<dyn KeyValue>, StoreOperation)> {
    accessor.with(|mut access| access.get().begin_on(store, operation))
}

impl Host for View<'_> {}

impl HostStore for View<'_> {
    fn drop(&mut self, store: Resource<GuestStore>) -> wasmtime::Result<()> {
        self.table.delete(store)?;
        Ok(())
    }
}

impl<T: Send + 'static> HostStoreWithStore<T> for Capabilities {
    async fn open(
        accessor: &Accessor<T, Self>,
        label: String,
    ) -> wasmtime::Result<Result<Resource<GuestStore>, Error>> {
        accessor.with(|mut access| Ok(access.get().open_store(&label)?.ok_or(Error::AccessDenied)))
    }

    async fn get(
        accessor: &Accessor<T, Self>,
        handle: Resource<GuestStore>,
        key: String,
    ) -> wasmtime::Result<Result<Option<Vec<u8>>, Error>> {
        let (store, mut operation) = store(accessor, &handle, "get")?;
        let done = operation.wait(store.get(&key)).await;
        Ok(done.map_err(Error::from))
    }

    async fn set(
        accessor: &Accessor<T, Self>,
        handle: Resource<GuestStore>,
        key: String,
        value: Vec<u8>,
    ) -> wasmtime::Result<Result<(), Error>> {
        let (store, mut operation) = store(accessor, &handle, "set")?;
        let done = operation.wait(store.set(&key, &value)).await;
        Ok(done.map_err(Error::from))
    }

    async fn delete(
        accessor: &Accessor<T, Self>,
        handle: Resource<GuestStore>,
        key: String,
    ) -> wasmtime::Result<Result<(), Error>> {
        let (store, mut operation) = store(accessor, &handle, "delete")?;
        let done = operation.wait(store.delete(&key)).await;
        Ok(done.map_err(Error::from))
    }

    async fn exists(
        accessor: &Accessor<T, Self>,
        handle: Resource<GuestStore>,
        key: String,
    ) -> wasmtime::Result<Result<bool, Error>> {
        let (store, mut operation) = store(accessor, &handle, "exists")?;
        let done = operation.wait(store.exists(&key)).await;
        Ok(done.map_err(Error::from))
    }

    async fn get_keys(
        accessor: &Accessor<T, Self>,
        handle: Resource<GuestStore>,
    ) -> wasmtime::Result<Keys> {
        let (store, mut operation, byte_budget) = accessor.with(|mut access| {
            let view = access.get();
            let (store, operation) = view.begin_on(&handle, "get-keys")?;
            wasmtime::error::Ok((store, operation, view.byte_budget.clone()))
        })?;
        // All keys are read before the guest gets the first one: a guest that pauses between keys must not hold the store.
        let keys = operation.wait(all_keys(&*store)).await;
        accessor.with(|mut access| {
            let reserved = keys.map_err(Error::from).and_then(|keys| {
                let length = keys.iter().map(|key| size_of::<String>() + key.len());
                let reserved = byte_budget.reserve(length.sum());
                let reserved = reserved.map_err(|error| Error::Other(error.to_string()));
                Ok(BufferedItems::new(keys, reserved?))
            });
            let (keys, end) = match reserved {
                Ok(keys) => (StreamReader::new(&mut access, keys)?, Ok(())),
                Err(error) => (StreamReader::new(&mut access, Vec::new())?, Err(error)),
            };
            let end = FutureReader::new(&mut access, async { wasmtime::error::Ok(end) })?;
            Ok((keys, end))
        })
    }
}
