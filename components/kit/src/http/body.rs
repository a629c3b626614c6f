//! Bodies that arrive chunk by chunk: what is kept of them, and what is read and thrown away.

use super::BODY_LIMIT;
use bytes::Bytes;
use futures::{Stream, StreamExt as _};

/// What is read and thrown away of a body that is too long.
const DRAIN_LIMIT: usize = 16 << 20;

/// The body, if it is no longer than [`BODY_LIMIT`]; else what there is of it up to the chunk that goes
/// beyond.
///
/// # Errors
///
/// What the stream says.
pub async fn read_limited<C: AsRef<[u8]>, E>(
    chunks: &mut (impl Stream<Item = Result<C, E>> + Unpin),
) -> Result<Bytes, E> {
    let mut whole: Vec<u8> = Vec::new();
    while whole.len() <= BODY_LIMIT
        && let Some(chunk) = chunks.next().await
    {
        whole.extend_from_slice(chunk?.as_ref());
    }
    Ok(whole.into())
}

/// Reads a bounded part of what is left, so that its sender gets to read the answer: most clients read
/// none before they have sent everything, and a host that closes over unread bytes resets the
/// connection.
pub async fn drain<C: AsRef<[u8]>, E>(chunks: &mut (impl Stream<Item = Result<C, E>> + Unpin)) {
    let mut left = DRAIN_LIMIT;
    while let Some(Ok(chunk)) = chunks.next().await {
        match left.checked_sub(chunk.as_ref().len()) {
            Some(rest) => left = rest,
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
    fn a_body_within_the_limit_is_whole() {
        let body = block_on(read_limited(&mut stream::iter(chunks(6)))).unwrap();
        assert_eq!(body.len(), 6 * CHUNK);
    }

    #[test]
    fn of_a_longer_body_no_more_is_kept_than_shows_it() {
        let body = block_on(read_limited(&mut stream::iter(chunks(10_000)))).unwrap();
        assert_eq!(body.len(), 7 * CHUNK);
    }

    #[test]
    fn a_body_that_breaks_off_is_none() {
        let broken = chunks(2).chain([Err("broken")]);
        assert_eq!(
            block_on(read_limited(&mut stream::iter(broken))),
            Err("broken")
        );
    }

    #[test]
    fn what_is_left_of_a_long_body_is_read_up_to_a_bound() {
        let read = |count: usize| {
            let read = Cell::new(0);
            let counted = chunks(count).inspect(|_| read.set(read.get() + 1));
            block_on(drain(&mut stream::iter(counted)));
            read.get()
        };
        assert_eq!(read(800), 800);
        assert_eq!(read(1_000_000), DRAIN_LIMIT / CHUNK + 1);
    }
}
