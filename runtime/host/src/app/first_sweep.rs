//! First sweep of every component, before the host serves requests.
//!
//! A component that opens a store which its manifest does not grant would answer every request with 503. The stores that
//! a component opens are known only after it has run.

use std::time::Duration;

use futures::future::join_all;

use crate::generation::Components;
use crate::trigger::sweep::sweep_once;
use config::manifest::App;

/// Time limit of the first sweeps. A missing grant is detected at the beginning of a sweep; the rest may be repeated later.
const FIRST_SWEEP_TIMEOUT: Duration = Duration::from_secs(2);

/// Sweeps every component that has a sweep period.
///
/// # Errors
/// When a component opens a store that it is not granted. Any other failure of a sweep does not stop the start.
pub(super) async fn first_sweep(app: &App, components: &Components) -> anyhow::Result<()> {
    let swept = app.components.iter().filter_map(|component| {
        component.policy.sweep?;
        Some((component, components.get(component.id.as_str())?))
    });
    let sweeps = swept
        .clone()
        .map(|(component, swept)| sweep_once(swept, component.policy.sweep_priority));
    // The timer sweeps a late component again.
    let _ = tokio::time::timeout(FIRST_SWEEP_TIMEOUT, join_all(sweeps)).await;
    for (component, swept) in swept {
        if let Some(missing) = swept.component.ungranted() {
            return Err(component.not_granted(missing.key, &missing.label).into());
        }
    }
    Ok(())
}
