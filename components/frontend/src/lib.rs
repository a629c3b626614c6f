//! The frontend context.
