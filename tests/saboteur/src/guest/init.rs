//! What an instance does before its first call.

use super::misbehaviour;

#[used]
#[unsafe(link_section = ".init_array")]
static AT_START: extern "C" fn() = at_start;

/// With `START=spin` in its environment, the instance never becomes ready.
extern "C" fn at_start() {
    if std::env::var("START").is_ok_and(|action| action == "spin") {
        // This call never returns.
        let _ = misbehaviour::spin();
    }
}
