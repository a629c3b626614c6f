//! The conversions, by direction.

pub(crate) mod request;
pub(crate) mod response;
