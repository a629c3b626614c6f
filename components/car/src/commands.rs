//! What may be asked of a car: by people (register, modify, delete) and by the reservation context
//! (hold, release).

mod delete;
mod hold;
mod modify;
mod register;
mod release;

pub use delete::delete;
pub use hold::hold;
pub use modify::modify;
pub use register::register;
pub use release::release;
