//! What a client can set of a car.

/// The greatest length of a name or a type, in characters.
pub const MAX_TEXT: usize = 200;
/// The highest price of one reservation, in won.
pub const MAX_AMOUNT: u64 = 1_000_000_000_000;

/// What a client can set of a car.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CarDetails {
    /// Its name, 1 to [`MAX_TEXT`] characters.
    pub name: String,
    /// Its type, up to [`MAX_TEXT`] characters.
    pub kind: String,
    /// The price of one reservation in won, up to [`MAX_AMOUNT`].
    pub amount: u64,
}
