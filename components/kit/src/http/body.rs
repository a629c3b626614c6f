//! Streamed bodies: read up to a limit, or drained.

use bytes::Bytes;
use futures::{Stream, StreamExt as _};

/// The longest body that a context reads, in bytes.
pub const BODY_LIMIT: usize = 64 * 1024;

/// The longest rest of an oversized body that [`drain`] reads, in bytes.
const DRAIN_LIMIT: usize = 16 << 20;

/// Reads a body. Of a body longer than [`BODY_LIMIT`] it returns the part up to the end of the chunk
/// that exceeds the limit.
///
/// # Errors
///
/// The error of the stream.
pub async fn read_limited<C: AsRef<[u8]>, E>(
    chunks: &mut (impl Stream<Item = Result<C, E>> + Unpin),
) -> Result<Bytes, E> {
    let mut body: Vec<u8> = Vec::new();
    while body.len() <= BODY_LIMIT
        && let Some(chunk) = chunks.next().await
    {
        body.extend_from_slice(chunk?.as_ref());
    }
    Ok(body.into())
}

/// Reads and discards the rest of a body, up to 16 MiB, so that the client receives the response: most
/// clients read no response before they have sent the whole body, and a host that closes a connection
/// with unread bytes resets it.
pub async fn drain<C: AsRef<[u8]>, E>(chunks: &mut (impl Stream<Item = Result<C, E>> + Unpin)) {
    let mut remaining = DRAIN_LIMIT;
    while let Some(Ok(chunk)) = chunks.next().await {
        match remaining.checked_sub(chunk.as_ref().len()) {
            Some(rest) => remaining = rest,
            None => break,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::{executor::block_on, stream};
    use std::{cell::Cell, iter};

    const CHUNK: usize = 10_000;

    fn chunks(count: usize) -> impl Iterator<Item = Result<Vec<u8>, &'static str>> {
        iter::repeat_n(Ok(vec![b'x'; CHUNK]), count)
    }

    #[test]
    fn a_body_within_the_limit_is_read_whole() {
        let body = block_on(read_limited(&mut stream::iter(chunks(6)))).unwrap();
        assert_eq!(body.len(), 6 * CHUNK);
    }

    #[test]
    fn an_oversized_body_is_read_up_to_the_chunk_that_exceeds_the_limit() {
        let body = block_on(read_limited(&mut stream::iter(chunks(10_000)))).unwrap();
        assert_eq!(body.len(), 7 * CHUNK);
    }

    #[test]
    fn a_broken_body_is_an_error() {
        let broken = chunks(2).chain([Err("broken")]);
        let read = block_on(read_limited(&mut stream::iter(broken)));
        assert_eq!(read, Err("broken"));
    }

    #[test]
    fn an_oversized_body_is_drained_up_to_a_limit() {
        let drained = |count: usize| {
            let read = Cell::new(0);
            let counted = chunks(count).inspect(|_| read.set(read.get() + 1));
            block_on(drain(&mut stream::iter(counted)));
            read.get()
        };
        assert_eq!(drained(800), 800);
        assert_eq!(drained(1_000_000), DRAIN_LIMIT / CHUNK + 1);
    }
}
