//! Who may do what with reservations: the part of the table in `docs/src/authorization.md` that is about them.

use events::CustomerId;
use kit::{Access, Principal};

/// What can be done with a reservation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// To see it and its timeline.
    See,
    /// To request its cancellation.
    Cancel,
}

/// Whether the principal may list reservations: those that it may see.
#[must_use]
pub fn list(principal: &Principal) -> Access {
    Access::allowed_if(*principal != Principal::Anonymous)
}

/// Whether the principal may reserve a car. The reservation then belongs to it.
#[must_use]
pub fn reserve(principal: &Principal) -> Access {
    Access::allowed_if(match principal {
        Principal::Open | Principal::Platform | Principal::Customer(_) => true,
        Principal::Company(_) | Principal::Anonymous => false,
    })
}

/// What the principal may do with a reservation of this customer, or of the company.
#[must_use]
pub fn authorize(
    principal: &Principal,
    operation: Operation,
    owner: Option<&CustomerId>,
) -> Access {
    if !principal.may_see(owner) {
        return Access::Hidden;
    }
    match (principal, operation) {
        // The company cancels what belongs to it: what was reserved before there was identity.
        (Principal::Company(_), Operation::Cancel) => Access::allowed_if(owner.is_none()),
        _ => Access::Allowed,
    }
}
