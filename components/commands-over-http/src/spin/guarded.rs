//! A call to another context behind a circuit breaker, on hosts without breakers between components.
//!
//! An open breaker fails a call at once, instead of after its timeout.

use kit::{
    Breaker, Unavailable,
    http::Response,
    spin::{RemoteContext, SpinPlatform, host_has_breakers, variable},
};

/// The variable that names the caller's key-value store for the state of the breakers; without it there are none.
const BREAKER_STORE: &str = "breaker_store";

/// Awaits the response of `context` and returns what `parse` makes of it. An `Err` counts as a failure of the context, a
/// refusal does not.
///
/// # Errors
///
/// [`Unavailable`] when the breaker is open, when there is no response, and what `parse` returns.
pub(super) async fn guarded<T>(
    context: &RemoteContext,
    response: impl Future<Output = Result<Response, Unavailable>>,
    parse: impl FnOnce(&Response) -> Result<T, Unavailable>,
) -> Result<T, Unavailable> {
    let answer = async { parse(&response.await?) };
    match breaker(context).await {
        Some(breaker) => breaker.call(answer).await,
        None => answer.await,
    }
}

async fn breaker(context: &RemoteContext) -> Option<Breaker<SpinPlatform>> {
    if host_has_breakers().await {
        return None;
    }
    let store = variable(BREAKER_STORE).await;
    (!store.is_empty()).then(|| Breaker::new(SpinPlatform::new(&store), context.name))
}
