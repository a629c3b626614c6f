//! A breaker around a service.

use super::*;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use thiserror::Error;
use tokio::time::sleep;
use tower::{Layer as _, Service as _, ServiceExt as _};

#[tokio::test(start_paused = true)]
async fn a_service_behind_an_open_breaker_is_not_called() {
    #[derive(Debug, PartialEq, Error)]
    enum CallError {
        #[error("sick")]
        Sick,
        #[error(transparent)]
        BreakerRejection(#[from] BreakerRejection),
    }
    let calls = Arc::new(AtomicU32::new(0));
    let counted = calls.clone();
    let sick = tower::service_fn(move |()| {
        counted.fetch_add(1, SeqCst);
        async {
            sleep(SECOND / 100).await;
            Err::<(), _>(CallError::Sick)
        }
    });
    let breaker = breaker(settings());
    let mut service =
        BreakerLayer::new(
            breaker.clone(),
            |result: &Result<(), CallError>| match result {
                Ok(()) => BreakerOutcome::Success,
                Err(CallError::Sick) => BreakerOutcome::Failure,
                Err(CallError::BreakerRejection(_)) => BreakerOutcome::Ignored,
            },
        )
        .layer(sick);
    for _ in 0..4 {
        assert_eq!(
            service.ready().await.unwrap().call(()).await,
            Err(CallError::Sick)
        );
    }
    let result = service.oneshot(()).await;
    assert!(
        matches!(
            result,
            Err(CallError::BreakerRejection(BreakerRejection {
                state: BreakerState::Open,
                ..
            }))
        ),
        "{result:?}"
    );
    assert_eq!(calls.load(SeqCst), 4);
}
