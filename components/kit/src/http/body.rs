//! Bodies that arrive piece by piece: what is kept of them, and what is read and thrown away.

use super::BODY_LIMIT;
use bytes::Bytes;
use futures::{Stream, StreamExt as _};

/// What is read and thrown away of a body that is too long.
const LEFTOVERS: usize = 16 << 20;

/// The body, if it is no longer than [`BODY_LIMIT`]; else what there is of it up to the piece that goes
/// beyond.
///
/// # Errors
///
/// What the stream says.
pub async fn receive<C: AsRef<[u8]>, E>(
    pieces: &mut (impl Stream<Item = Result<C, E>> + Unpin),
) -> Result<Bytes, E> {
    let mut whole: Vec<u8> = Vec::new();
    while whole.len() <= BODY_LIMIT
        && let Some(piece) = pieces.next().await
    {
        whole.extend_from_slice(piece?.as_ref());
    }
    Ok(whole.into())
}

/// Reads a bounded part of what is left, so that its sender gets to read the answer: most clients read
/// none before they have sent everything, and a host that closes over unread bytes resets the
/// connection.
pub async fn throw_away<C: AsRef<[u8]>, E>(
    pieces: &mut (impl Stream<Item = Result<C, E>> + Unpin),
) {
    let mut left = LEFTOVERS;
    while let Some(Ok(piece)) = pieces.next().await {
        match left.checked_sub(piece.as_ref().len()) {
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

    const PIECE: usize = 10_000;

    fn pieces(count: usize) -> impl Iterator<Item = Result<Vec<u8>, &'static str>> {
        iter::repeat_n(Ok(vec![b'x'; PIECE]), count)
    }

    #[test]
    fn a_body_within_the_limit_is_whole() {
        let body = block_on(receive(&mut stream::iter(pieces(6)))).unwrap();
        assert_eq!(body.len(), 6 * PIECE);
    }

    #[test]
    fn of_a_longer_body_no_more_is_kept_than_shows_it() {
        let body = block_on(receive(&mut stream::iter(pieces(10_000)))).unwrap();
        assert_eq!(body.len(), 7 * PIECE);
    }

    #[test]
    fn a_body_that_breaks_off_is_none() {
        let broken = pieces(2).chain([Err("broken")]);
        assert_eq!(block_on(receive(&mut stream::iter(broken))), Err("broken"));
    }

    #[test]
    fn what_is_left_of_a_long_body_is_read_up_to_a_bound() {
        let read = |count: usize| {
            let read = Cell::new(0);
            let counted = pieces(count).inspect(|_| read.set(read.get() + 1));
            block_on(throw_away(&mut stream::iter(counted)));
            read.get()
        };
        assert_eq!(read(800), 800);
        assert_eq!(read(1_000_000), LEFTOVERS / PIECE + 1);
    }
}
