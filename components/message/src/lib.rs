//! The message context.
