//! Who may see what of a row: the part of the table in `docs/src/authorization.md` that is about the view.
//!
//! Every user sees the cars. The reservation and the payment in a row belong to a customer, and for another one the row
//! is that of a car without them.

use crate::car_view::CarView;
use kit::{Access, Principal};

/// Whether the principal may see rows.
#[must_use]
pub fn see(principal: &Principal) -> Access {
    Access::allowed_if(*principal != Principal::Anonymous)
}

/// Whether the principal may see the summary of the fleet, which is about the reservations of all customers.
#[must_use]
pub fn summarise(principal: &Principal) -> Access {
    let is_user = !matches!(principal, Principal::Anonymous | Principal::Customer(_));
    Access::allowed_if(is_user)
}

/// Whether the principal may see the reservation and the payment of a row.
#[must_use]
pub fn sees_reservation(principal: &Principal, row: &CarView) -> bool {
    principal.may_see(row.customer_id.as_ref())
}

/// The row as the principal may see it.
#[must_use]
pub fn visible(principal: &Principal, mut row: CarView) -> CarView {
    if !sees_reservation(principal, &row) {
        row.rsv_id = None;
        row.rsv_status = None;
        row.pay_id = None;
        row.pay_status = None;
    }
    row.customer_id = principal.shown(row.customer_id.as_ref()).cloned();
    row
}
