//! The five contexts, linked natively: requests and events go directly to their own code.

use super::{
    GatewayAccount,
    calls::{FakeCars, FakePayments},
    gateway::FakeGateway,
    platform::{FakePlatform, name},
    store::FakeStore,
    view::View,
    with_breaker::WithBreaker,
};
use crate::{context::ContextId, fault_profile::CallOutcome, mutation::Mutation, world::World};
use car::CarRepository;
use events::{CloudEvent, Event, ReservationId};
use kit::{
    Breaker,
    http::{Request, Response},
    memory::MemorySnapshot,
};
use message::MessageRepository;
use payment::PaymentPorts;
use reservation::ReservationPorts;
use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    rc::Rc,
};

/// The reservation context, whose calls pass breakers in some schedules.
type FakeReservations = ReservationPorts<
    FakePlatform,
    WithBreaker<FakePlatform, FakeCars>,
    WithBreaker<FakePlatform, FakePayments>,
>;

/// The key prefix of refunds that the payment context repeats later.
const LATE_REFUND: &str = "late/";

/// The keys in the store of unfinished work that are no work: the ages of it, and the clock that the hosts share.
const NO_WORK: [&str; 2] = ["sightings", "clock"];

/// The content of every store at one time.
pub struct StoreSnapshots(Vec<MemorySnapshot>);

/// The contexts of one schedule.
pub struct Contexts {
    world: Rc<World>,
    fleet: CarRepository<FakePlatform>,
    reservations: FakeReservations,
    payments: PaymentPorts<FakePlatform, FakeGateway>,
    messages: MessageRepository<FakePlatform>,
    view: Option<View>,
    /// The number of events that the read model has received.
    viewed: Cell<u64>,
    accounts: Rc<RefCell<BTreeMap<ReservationId, GatewayAccount>>>,
}

impl Contexts {
    /// Five contexts with empty stores.
    pub fn new(world: &Rc<World>) -> Self {
        let platform = |context| FakePlatform::new(world, context);
        let reservation_platform = platform(ContextId::Reservation);
        let breaker = |context| {
            let has_breakers = world.faults.has_breakers;
            has_breakers.then(|| Breaker::new(reservation_platform.clone(), context))
        };
        let accounts = Rc::default();
        let gateway = FakeGateway {
            world: Rc::clone(world),
            accounts: Rc::clone(&accounts),
        };
        Self {
            world: Rc::clone(world),
            fleet: CarRepository::new(platform(ContextId::Car)),
            reservations: ReservationPorts {
                cars: WithBreaker::new(FakeCars(Rc::clone(world)), breaker("car")),
                payments: WithBreaker::new(FakePayments(Rc::clone(world)), breaker("payment")),
                platform: reservation_platform,
            },
            payments: PaymentPorts {
                platform: platform(ContextId::Payment),
                gateway,
            },
            messages: MessageRepository::new(platform(ContextId::Message)),
            view: world.faults.checks_view.then(|| View::new(world)),
            viewed: Cell::new(0),
            accounts,
        }
    }

    /// Handles a request.
    pub async fn handle(&self, context: ContextId, request: Request) -> Response {
        match (context, &self.view) {
            (ContextId::Car, _) => car::http::handle(&self.fleet, request).await,
            (ContextId::Reservation, _) => {
                reservation::http::handle(&self.reservations, request).await
            }
            (ContextId::Payment, _) => payment::http::handle(&self.payments, request).await,
            (ContextId::Message, _) => message::http::handle(&self.messages, request).await,
            (ContextId::View, Some(view)) => view.handle(request).await,
            (ContextId::View, None) => Response::default(),
        }
    }

    /// Reacts to an event; false if it must be delivered again.
    pub async fn react(&self, context: ContextId, event: &CloudEvent) -> bool {
        let is_rejection = matches!(event.event, Event::ReservationRejected(_));
        let reaction = match context {
            ContextId::Car
                if is_rejection && self.world.has_mutation(Mutation::KeepsRejectedHold) =>
            {
                Ok(())
            }
            ContextId::Car => text(car::reactions::react(&self.fleet, event).await),
            ContextId::Reservation => {
                text(reservation::reactions::react(&self.reservations, event).await)
            }
            ContextId::Payment => text(payment::reactions::react(&self.payments, event).await),
            ContextId::Message => text(message::reactions::react(&self.messages, event).await),
            ContextId::View => self.project(event).await,
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
                .store_outcome(ContextId::View, &self.world.random);
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
        text(view.project(&event).await)
    }

    /// Applies a crash to the stores of a context: no effect, unless a mutation loses writes.
    pub fn crash(&self, context: ContextId) {
        if let Some(platform) = self.platform(context) {
            platform.state.crash();
        }
    }

    /// The keys of the work that a context has recorded and not finished, without late refunds.
    pub fn pending_work(&self, context: ContextId) -> Vec<String> {
        let platform = self.platform(context);
        let keys = platform.map_or_else(Vec::new, |platform| platform.outbox.all_keys());
        let is_work =
            |key: &String| !NO_WORK.contains(&key.as_str()) && !key.starts_with(LATE_REFUND);
        keys.into_iter().filter(is_work).collect()
    }

    /// Whether a refund is to be repeated later.
    pub fn has_late_refunds(&self) -> bool {
        let keys = self.payments.platform.outbox.all_keys();
        keys.iter().any(|key| key.starts_with(LATE_REFUND))
    }

    /// The content of every store.
    pub fn snapshot(&self) -> StoreSnapshots {
        let stores = self.stores().map(FakeStore::snapshot);
        StoreSnapshots(stores.collect())
    }

    /// Sets the content of every store back.
    pub fn restore(&self, snapshots: &StoreSnapshots) {
        for (store, snapshot) in self.stores().zip(&snapshots.0) {
            store.restore(snapshot);
        }
    }

    fn stores(&self) -> impl Iterator<Item = &FakeStore> {
        let platforms = ContextId::SWEPT.map(|context| self.platform(context));
        let platforms = platforms.into_iter().flatten();
        platforms.flat_map(|platform| [&platform.state, &platform.outbox])
    }

    /// The accounts of the gateway.
    pub fn accounts(&self) -> BTreeMap<ReservationId, GatewayAccount> {
        self.accounts.borrow().clone()
    }

    fn platform(&self, context: ContextId) -> Option<&FakePlatform> {
        match context {
            ContextId::Car => Some(&self.fleet.platform),
            ContextId::Reservation => Some(&self.reservations.platform),
            ContextId::Payment => Some(&self.payments.platform),
            ContextId::Message => Some(&self.messages.platform),
            ContextId::View => None,
        }
    }
}

fn text<E: std::fmt::Display>(reaction: Result<(), E>) -> Result<(), String> {
    reaction.map_err(|error| error.to_string())
}
