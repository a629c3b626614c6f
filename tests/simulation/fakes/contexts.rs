//! The five contexts, linked natively: what wakes them leads straight into their own code.

use super::{
    GatewayAccount,
    calls::{FakeCars, FakePayments},
    gateway::FakeGateway,
    platform::{FakePlatform, name},
    view::View,
};
use crate::{fault_profile::CallOutcome, mutation::Mutation, world::World};
use car::Fleet;
use events::{CloudEvent, Event, ReservationId};
use kit::{
    Breaker,
    http::{Request, Response},
};
use message::Messages;
use payment::Payments;
use reservation::{Desk, Guarded};
use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    rc::Rc,
};

/// A context.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Context {
    /// The fleet.
    Car,
    /// Reservations and their sagas.
    Reservation,
    /// Payments.
    Payment,
    /// Messages.
    Message,
    /// The view.
    View,
}

impl Context {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Car,
        Self::Reservation,
        Self::Payment,
        Self::Message,
        Self::View,
    ];
    /// Those that have something to sweep.
    pub const SWEPT: [Self; 4] = [Self::Car, Self::Reservation, Self::Payment, Self::Message];

    /// What its list is called.
    pub fn plural(self) -> &'static str {
        match self {
            Self::Car => "cars",
            Self::Reservation => "reservations",
            Self::Payment => "payments",
            Self::Message => "messages",
            Self::View => "carviews",
        }
    }
}

/// Where reservations are made: its calls pass breakers in some schedules.
type FakeDesk =
    Desk<FakePlatform, Guarded<FakePlatform, FakeCars>, Guarded<FakePlatform, FakePayments>>;

/// The contexts of one schedule.
pub struct Contexts {
    world: Rc<World>,
    fleet: Fleet<FakePlatform>,
    desk: FakeDesk,
    payments: Payments<FakePlatform, FakeGateway>,
    messages: Messages<FakePlatform>,
    view: Option<View>,
    /// How many events the view was given.
    viewed: Cell<u64>,
    accounts: Rc<RefCell<BTreeMap<ReservationId, GatewayAccount>>>,
}

impl Contexts {
    /// Five contexts that have stored nothing yet.
    pub fn new(world: &Rc<World>) -> Self {
        let platform = |context| FakePlatform::new(world, context);
        let reservations = platform(Context::Reservation);
        let breaker = |context| {
            let has_breakers = world.faults.has_breakers;
            has_breakers.then(|| Breaker::new(reservations.clone(), context))
        };
        let accounts = Rc::default();
        let gateway = FakeGateway {
            world: Rc::clone(world),
            accounts: Rc::clone(&accounts),
        };
        Self {
            world: Rc::clone(world),
            fleet: Fleet::new(platform(Context::Car)),
            desk: Desk {
                cars: Guarded::new(FakeCars(Rc::clone(world)), breaker("car")),
                payments: Guarded::new(FakePayments(Rc::clone(world)), breaker("payment")),
                platform: reservations,
            },
            payments: Payments::new(platform(Context::Payment), gateway),
            messages: Messages::new(platform(Context::Message)),
            view: world.faults.checks_view.then(|| View::new(world)),
            viewed: Cell::new(0),
            accounts,
        }
    }

    /// Answers a request.
    pub async fn handle(&self, context: Context, request: Request) -> Response {
        match (context, &self.view) {
            (Context::Car, _) => car::http::answer(&self.fleet, request).await,
            (Context::Reservation, _) => reservation::http::answer(&self.desk, request).await,
            (Context::Payment, _) => payment::http::answer(&self.payments, request).await,
            (Context::Message, _) => message::http::answer(&self.messages, request).await,
            (Context::View, Some(view)) => viewpage::http::answer(view.model(), request).await,
            (Context::View, None) => Response::default(),
        }
    }

    /// Reacts to an event; false when it is to be delivered again.
    pub async fn react(&self, context: Context, event: &CloudEvent) -> bool {
        let is_rejection = matches!(event.event, Event::ReservationRejected(_));
        let reaction = match context {
            Context::Car
                if is_rejection && self.world.has_mutation(Mutation::KeepsRejectedHold) =>
            {
                Ok(())
            }
            Context::Car => text(car::reactions::react(&self.fleet, event).await),
            Context::Reservation => text(reservation::reactions::react(&self.desk, event).await),
            Context::Payment => text(payment::reactions::react(&self.payments, event).await),
            Context::Message => text(message::reactions::react(&self.messages, event).await),
            Context::View => self.project(event).await,
        };
        self.world.trace(|| match &reaction {
            Ok(()) => format!("handled {}", name(event)),
            Err(error) => format!("could not handle {}: {error}", name(event)),
        });
        reaction.is_ok()
    }

    async fn project(&self, event: &CloudEvent) -> Result<(), String> {
        let Some(view) = &self.view else {
            self.world.port_call(|| "takes the event in".into()).await;
            let outcome = self
                .world
                .faults
                .store_outcome(Context::View, &self.world.random);
            return match outcome {
                CallOutcome::Applied => Ok(()),
                _ => Err("no reply".into()),
            };
        };
        let mut event = event.clone();
        if self.world.has_mutation(Mutation::ViewIgnoresSequence) {
            self.viewed.set(self.viewed.get() + 1);
            event.sequence = self.viewed.get();
        }
        text(view.model().project(&event).await)
    }

    /// What a crash does to what a context has stored: nothing, unless a store lies.
    pub fn crash(&self, context: Context) {
        if let Some(platform) = self.platform(context) {
            platform.state.crash();
        }
    }

    /// What a context has still to do, by its own notes.
    pub fn pending_work(&self, context: Context) -> Vec<String> {
        let platform = self.platform(context);
        platform.map_or_else(Vec::new, |platform| platform.outbox.all_keys())
    }

    /// What the gateway did.
    pub fn accounts(&self) -> BTreeMap<ReservationId, GatewayAccount> {
        self.accounts.borrow().clone()
    }

    fn platform(&self, context: Context) -> Option<&FakePlatform> {
        match context {
            Context::Car => Some(&self.fleet.platform),
            Context::Reservation => Some(&self.desk.platform),
            Context::Payment => Some(&self.payments.platform),
            Context::Message => Some(&self.messages.platform),
            Context::View => None,
        }
    }
}

fn text<E: std::fmt::Display>(reaction: Result<(), E>) -> Result<(), String> {
    reaction.map_err(|error| error.to_string())
}
