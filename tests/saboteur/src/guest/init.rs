//! What an instance does before anybody calls it.

use super::misbehaviour;

#[used]
#[unsafe(link_section = ".init_array")]
static AT_START: extern "C" fn() = at_start;

/// With `START = "spin"` in its environment, it never gets ready.
extern "C" fn at_start() {
    if std::env::var("START").is_ok_and(|order| order == "spin") {
        // It does not return.
        let _ = misbehaviour::spin();
    }
}
