//! A stream of items that the host has read as a whole, and that a guest takes from it.

use std::pin::Pin;
use std::task::{Context, Poll};

use wasmtime::StoreContextMut;
use wasmtime::component::{Destination, StreamProducer, StreamResult, VecBuffer};

use crate::byte_budget::ByteReservation;

/// Items and the bytes that are reserved for them until the guest has taken them or drops the stream.
pub(super) struct BufferedItems<T> {
    items: Vec<T>,
    _reservation: ByteReservation,
}

impl<T> BufferedItems<T> {
    pub fn new(items: Vec<T>, reservation: ByteReservation) -> Self {
        Self {
            items,
            _reservation: reservation,
        }
    }
}

impl<T: Unpin + Send + Sync + 'static, D> StreamProducer<D> for BufferedItems<T> {
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
        // The next poll shows that the guest has taken these items; the reservation ends only then.
        Poll::Ready(Ok(StreamResult::Completed))
    }
}
