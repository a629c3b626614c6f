//! The commands of the reservation context: approve a payment, and cancel it.
//!
//! With the built-in gateway each command is one compare-and-swap. A call to a remote gateway can be cut off at any
//! instruction, so it is enclosed by intents in the outbox store ([`crate::gateway_intents`]):
//!
//! ```text
//! approve                                   cancel
//!   save the approval intent                  save the refund intent
//!   load: cancelled already? then stop        decide: Paid -> Refunding, absent -> Voided
//!   POST to the gateway                       if Refunding: DELETE at the gateway
//!   commit Paid, unless Voided came first                   commit Cancelled
//!   delete the approval intent                delete the refund intent
//! ```
//!
//! One of two cases holds. Either the approval loads the payment after the cancel's decision, and requests no money;
//! or its intent was stored before that decision, and stays stored until it is certain that no money was taken.
//! So all taken money is returned: an approval that dies in between or gets no response leaves its intent, a cancel
//! that dies leaves the refund intent, and the sweep continues from there. A `DELETE` can overtake a `POST` that is
//! still on its way; the sweep therefore cancels the payment and sends the `DELETE` only when the approval intent is
//! older than any call can run. A gateway that processes a `POST` later still, from a queue of its own, is asked again
//! for a day ([`crate::late_refunds`]).
//!
//! Payments, approval intents and late refunds carry the identity of the gateway that took the money, because another
//! gateway may be configured before it is returned. What belongs to a gateway that is not configured waits as if that
//! gateway did not respond ([`crate::refund`]).

mod approve;
mod cancel;

pub use approve::approve;
pub use cancel::cancel;
