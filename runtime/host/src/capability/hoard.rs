//! What the host keeps in its own memory on a guest's behalf, until the guest takes it or lets it go.
//!
//! A guest's memory is bounded, and so must be what it can leave with its host: values that a compare-and-swap
//! remembers, rows and keys that are read one by one. All of one instance together may be as large as its own memory;
//! it could not take more at once anyway.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wasmtime::StoreContextMut;
use wasmtime::component::{Destination, StreamProducer, StreamResult, VecBuffer};

/// What one instance has left with its host.
#[derive(Clone)]
pub struct Hoard(Arc<Semaphore>);

/// So many bytes of it, until this is dropped.
pub struct Kept {
    _room: OwnedSemaphorePermit,
}

/// The guest has left too much with its host already.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the host keeps as much for this component as it may")]
pub struct TooMuch;

/// What a guest reads one by one.
pub struct Items<T> {
    items: Vec<T>,
    _kept: Kept,
}

// === impl Hoard ===

impl Hoard {
    /// Room for so many bytes.
    pub fn new(bytes: usize) -> Self {
        Self(Arc::new(Semaphore::new(bytes.min(Semaphore::MAX_PERMITS))))
    }

    /// Room for so many of them.
    ///
    /// # Errors
    /// When so many are not left.
    pub fn keep(&self, bytes: usize) -> Result<Kept, TooMuch> {
        let bytes = u32::try_from(bytes).map_err(|_| TooMuch)?;
        let room = self.0.clone().try_acquire_many_owned(bytes);
        let room = room.map_err(|_| TooMuch)?;
        Ok(Kept { _room: room })
    }
}

// === impl Items ===

impl<T> Items<T> {
    /// These items, for which there is room.
    pub fn new(items: Vec<T>, kept: Kept) -> Self {
        Self { items, _kept: kept }
    }
}

impl<T: Unpin + Send + Sync + 'static, D> StreamProducer<D> for Items<T> {
    type Item = T;
    type Buffer = VecBuffer<T>;

    fn poll_produce<'a>(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: StoreContextMut<'a, D>,
        mut destination: Destination<'a, Self::Item, Self::Buffer>,
        _: bool,
    ) -> Poll<wasmtime::Result<StreamResult>> {
        if self.items.is_empty() {
            return Poll::Ready(Ok(StreamResult::Dropped));
        }
        destination.set_buffer(std::mem::take(&mut self.items).into());
        // Asked for more, the guest has taken these; only then the room is free.
        Poll::Ready(Ok(StreamResult::Completed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_let_go_makes_room() {
        let hoard = Hoard::new(10);
        let kept = hoard.keep(8).unwrap();
        assert!(hoard.keep(3).is_err());
        drop(kept);
        assert!(hoard.keep(10).is_ok());
        assert!(hoard.keep(usize::MAX).is_err());
    }
}
