//! A task of the scheduler.

use crate::{
    context::ContextId,
    response_slot::ResponseSlot,
    world::{Caller, Wait},
};
use kit::http::Response;
use std::{pin::Pin, rc::Rc, task::Waker};

/// The output of a task.
pub enum TaskOutput {
    /// No output.
    None,
    /// The response to a request.
    Response(Response),
    /// Whether an event was handled.
    Handled(bool),
}

/// The purpose of a task.
pub enum TaskKind {
    /// The actions of a customer.
    Customer,
    /// A request whose response goes to this slot.
    Call {
        slot: Rc<ResponseSlot>,
        /// Whether the response leaves the platform.
        leaves_platform: bool,
    },
    /// The delivery of this entry of the log.
    Delivery(usize),
    /// The rebuild of the read model, as the host drives it.
    Rebuild,
    /// A sweep.
    Sweep,
}

/// A running task.
pub struct Task {
    /// What its calls depend on.
    pub caller: Caller,
    pub number: usize,
    /// Its name in the trace.
    pub name: String,
    /// The context that it runs in and crashes with; none for customers.
    pub context: Option<ContextId>,
    pub since: u64,
    /// The host that it runs on.
    pub host: usize,
    /// Whether it continues only rarely while other tasks are ready.
    pub is_slow: bool,
    pub kind: TaskKind,
    pub waits: Vec<(Wait, Waker)>,
    pub future: Pin<Box<dyn Future<Output = TaskOutput>>>,
}
