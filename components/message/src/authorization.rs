//! Who may see which message: the part of the table in `docs/src/authorization.md` that is about messages.

use events::CustomerId;
use kit::{Access, Principal};

/// Whether the principal may list messages: those that it may see.
#[must_use]
pub fn list(principal: &Principal) -> Access {
    Access::allowed_if(*principal != Principal::Anonymous)
}

/// Whether the principal may see a message to this customer, or to the company.
#[must_use]
pub fn see(principal: &Principal, owner: Option<&CustomerId>) -> Access {
    Access::visible_if(principal.may_see(owner))
}
