//! Who may do what with cars: the part of the table in `docs/src/authorization.md` that is about them. All cars belong to the
//! company. No route leads from outside to holds and releases, which belong to the reservation context.

use kit::{Access, Principal};

/// What can be done with cars.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// To see a car, or a list of them.
    See,
    /// To register, modify or delete a car.
    Change,
}

/// What the principal may do with the cars of the company.
#[must_use]
pub fn authorize(principal: &Principal, operation: Operation) -> Access {
    Access::allowed_if(match (principal, operation) {
        (Principal::Open | Principal::Platform | Principal::Company(_), _) => true,
        (Principal::Customer(_), Operation::See) => true,
        (Principal::Customer(_), Operation::Change) | (Principal::Anonymous, _) => false,
    })
}
