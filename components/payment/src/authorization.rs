//! Who may see which payment: the part of the table in `docs/src/authorization.md` that is about payments. No route leads from
//! outside to the commands, which belong to the reservation context.

use events::CustomerId;
use kit::{Access, Principal};

/// Whether the principal may list payments: those that it may see.
#[must_use]
pub fn list(principal: &Principal) -> Access {
    Access::allowed_if(*principal != Principal::Anonymous)
}

/// Whether the principal may see a payment of this customer, or of the company.
#[must_use]
pub fn see(principal: &Principal, owner: Option<&CustomerId>) -> Access {
    Access::visible_if(principal.may_see(owner))
}
