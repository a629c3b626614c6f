//! The car context.
