//! A component that misbehaves on request, and that shows what the host passes to a guest.
//!
//! Over HTTP the first path segment is the action (`/sleep?ms=50`, `/trap`, `/kv/set?key=a&value=b`, …). On a Redis
//! channel the action is the payload, or `data.behave` of a CloudEvents payload. [`guest`] lists every action, so
//! that a test needs no component of its own.

#[cfg(target_arch = "wasm32")]
mod guest;
