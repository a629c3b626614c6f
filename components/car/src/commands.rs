//! The commands of clients (register, modify, delete) and of the reservation context (hold, release).

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
