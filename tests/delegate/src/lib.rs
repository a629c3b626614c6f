//! A component that performs actions by letting another component perform them: `delegate/<action>` passes the action on,
//! `loop` passes itself on.

#[cfg(target_arch = "wasm32")]
mod guest;
