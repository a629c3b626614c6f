//! A component that exports the functions of the saboteur and performs them over HTTP, at the address in its variable
//! `saboteur_url`. It has only the grants that it inherits from its caller.

#[cfg(target_arch = "wasm32")]
mod guest;
