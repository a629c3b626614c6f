//! What the reservation context may ask: approve a payment, and cancel it.
//!
//! With the built-in ledger both are one compare-and-swap. A gateway elsewhere can be cut off at
//! any instruction, so its calls stand between notes in the outbox store ([`crate::todo`]):
//!
//! ```text
//! approve                                   cancel
//!   note `asked`                              note `undo`
//!   look: refused already? then stop          decide: Paid -> Refunding, nothing -> Refused
//!   POST to the gateway                       if Refunding: DELETE at the gateway
//!   commit Paid, unless Refused came first                  commit Cancelled
//!   take `asked` away                         take `undo` away
//! ```
//!
//! Either the approval's look comes after the cancel's decision, and it asks for no money; or its
//! note was there before that decision, and stays there until it is known that no money was taken.
//! So no money is taken that nobody returns: an approval that dies in between or hears nothing
//! leaves `asked`, a cancel that dies leaves `undo`, and the sweep finishes from there. A `DELETE`
//! may overtake a `POST` that is still on its way; the sweep therefore decides and asks for the
//! `DELETE` only when `asked` is older than any call lives.

mod approve;
mod cancel;

pub use approve::approve;
pub use cancel::cancel;
