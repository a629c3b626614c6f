//! One component that misbehaves on request, and that shows what a guest sees of its host.
//!
//! Over HTTP the first path segment is the order (`/sleep?ms=50`, `/trap`, `/kv/set?key=a&value=b`, …), over a Redis
//! channel it is the payload (or `data.behave` of a CloudEvents payload). Every order is listed in [`guest`], so that
//! a test can name what it wants without a component of its own.

#[cfg(target_arch = "wasm32")]
mod guest;
