//! One sweep before anybody is served: a component that opens a store which its manifest does not grant would answer 503
//! for ever, and only the component knows which stores it opens.

use std::time::Duration;

use futures::future::join_all;

use crate::generation::Components;
use crate::trigger::sweep::sweep_once;
use config::manifest::App;

/// How long the start waits for the sweeps. What is not granted shows at their beginning; their work goes on later.
const PATIENCE: Duration = Duration::from_secs(2);

/// Sweeps every component that wants to be swept.
///
/// # Errors
/// When one of them opens what it is not granted. That a sweep fails for any other reason is no reason not to start.
pub(super) async fn first_sweep(app: &App, components: &Components) -> anyhow::Result<()> {
    let swept = app.components.iter().filter_map(|component| {
        component.policy.sweep?;
        Some((component, components.get(component.id.as_str())?))
    });
    let sweeps = swept
        .clone()
        .map(|(component, swept)| sweep_once(swept, component.policy.sweep_priority));
    // Whoever is late is asked again by the clock.
    let _ = tokio::time::timeout(PATIENCE, join_all(sweeps)).await;
    for (component, swept) in swept {
        if let Some(missing) = swept.component.ungranted() {
            return Err(component.not_granted(missing.key, &missing.label).into());
        }
    }
    Ok(())
}
