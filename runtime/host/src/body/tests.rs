use std::sync::Arc;
use std::time::{Duration, Instant};

use super::*;
use http_body_util::StreamBody;

fn endless() -> WasiBody {
    StreamBody::new(futures::stream::pending::<Result<Frame<Bytes>, Error>>()).boxed_unsync()
}

#[tokio::test]
async fn a_body_that_stalls_ends_with_a_timeout() {
    let body = IdleTimeoutBody::new(endless(), Duration::from_millis(1));
    assert!(matches!(
        body.collect().await,
        Err(Error::ConnectionReadTimeout)
    ));
}

#[tokio::test(start_paused = true)]
async fn the_time_of_a_slow_reader_does_not_count_as_idle() {
    let (parts, body) = futures::channel::mpsc::unbounded();
    let part = || Ok(Frame::data(Bytes::from_static(b"part")));
    let body: WasiBody = StreamBody::new(body).boxed_unsync();
    let mut body = IdleTimeoutBody::new(body, Duration::from_secs(1));
    parts.unbounded_send(part()).unwrap();
    assert!(body.frame().await.unwrap().is_ok());
    tokio::time::sleep(Duration::from_secs(2)).await;
    let (next, ()) = futures::join!(body.frame(), async {
        tokio::task::yield_now().await;
        parts.unbounded_send(part()).unwrap();
    });
    assert!(next.unwrap().is_ok());
}

#[tokio::test]
async fn a_guard_is_released_with_the_last_byte() {
    let guard = Arc::new(());
    let mut body = GuardedBody::new(full("1"), guard.clone());
    assert_eq!(Arc::strong_count(&guard), 2);
    assert!(body.frame().await.is_some());
    assert_eq!(Arc::strong_count(&guard), 1);
}

#[tokio::test]
async fn a_body_of_a_failed_guest_ends_with_an_error() {
    let abort_flag = AbortFlag::default();
    let mut body = CompleteBody::new(full("half"), abort_flag.clone());
    assert!(body.frame().await.is_some_and(|part| part.is_ok()));
    abort_flag.set();
    assert!(!body.is_end_stream());
    assert!(body.frame().await.is_some_and(|part| part.is_err()));
}

#[tokio::test]
async fn a_guard_is_released_at_its_deadline_even_if_the_body_is_not_read() {
    let guard = Arc::new(());
    let end = Instant::now() + Duration::from_millis(20);
    let body = GuardedBody::until(endless(), guard.clone(), end);
    while Arc::strong_count(&guard) > 1 {
        tokio::task::yield_now().await;
    }
    assert!(Instant::now() >= end);
    drop(body);
}

#[tokio::test]
async fn a_guard_with_a_deadline_is_released_with_the_body() {
    let guard = Arc::new(());
    let end = Instant::now() + Duration::from_secs(3600);
    drop(GuardedBody::until(endless(), guard.clone(), end));
    assert_eq!(Arc::strong_count(&guard), 1);
}
