//! A component that calls the functions of the saboteur, and shows what it gets.
//!
//! | Request | Response |
//! |---|---|
//! | `/perform?action=sleep?ms=50` | the result of one call |
//! | `/parallel?action=…&count=8` | the results of concurrent calls |
//! | `/leave?action=…&ms=50` | the result, or that the caller stopped waiting after this time |
//! | `/late?ms=1500&action=…` | the result of a call that begins after this time |
//! | `/repeat?count=100&action=…` | how many of these calls succeeded |
//! | `/repeat-http?count=100&url=…` | how many of these requests succeeded |

#[cfg(target_arch = "wasm32")]
mod guest;
