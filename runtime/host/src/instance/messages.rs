//! Instances that handle messages: taken from a shelf for one call, put back when they behaved.
//!
//! The `handler` module of wasmtime-wasi-http knows only HTTP; a message needs no streaming body and no queue, so the
//! shelf is all there is. How many calls run at once is decided by the subscription that delivers the messages.

use std::future::poll_fn;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use wasmtime::component::InstancePre;
use wasmtime::{Engine, Store, Trap};

use super::population::{Life, Population};
use super::{REUSE, in_time};
use crate::call::Call;
use crate::capability::bindings::{Platform as Guest, PlatformPre as GuestPre};
use crate::capability::{Grants, State};

/// Why a message was not handled.
#[derive(Debug, thiserror::Error)]
pub enum Unhandled {
    /// The guest said so.
    #[error("component `{component}` answered: {reason}")]
    Refused {
        /// The component.
        component: Arc<str>,
        /// The guest's own words.
        reason: String,
    },
    /// The guest did not finish in time.
    #[error("component `{component}` exceeded its deadline")]
    Late {
        /// The component.
        component: Arc<str>,
    },
    /// An experiment has kept the message away from the component.
    #[error("an experiment dropped a message for component `{component}`")]
    Dropped {
        /// The component.
        component: Arc<str>,
    },
    /// There is no instance that could be asked: no memory is left, or it does not start.
    #[error("component `{component}` has no instance to spare")]
    NoInstance {
        /// The component.
        component: Arc<str>,
        /// What Wasmtime says.
        source: anyhow::Error,
    },
    /// The guest trapped or exited.
    #[error("component `{component}` failed")]
    Failed {
        /// The component.
        component: Arc<str>,
        /// What Wasmtime says.
        source: anyhow::Error,
    },
}

/// Makes, keeps and reuses instances that handle messages.
pub struct Shelf {
    engine: Engine,
    grants: Arc<Grants>,
    guest: GuestPre<State>,
    population: Arc<Population>,
    idle: Mutex<Vec<Resting>>,
}

struct Resting {
    store: Store<State>,
    guest: Guest,
    calls: usize,
    since: Instant,
    life: Life,
}

impl Shelf {
    /// Prepares to make instances of a linked component.
    ///
    /// # Errors
    /// When the component does not export `spin:redis/inbound-redis@3.0.0`.
    pub fn new(
        engine: Engine,
        grants: Arc<Grants>,
        instance: InstancePre<State>,
        population: Arc<Population>,
    ) -> wasmtime::Result<Self> {
        Ok(Self {
            engine,
            grants,
            guest: GuestPre::new(instance)?,
            population,
            idle: Mutex::default(),
        })
    }

    /// Has one message handled.
    ///
    /// # Errors
    /// See [`Unhandled`]; the instance is gone unless the guest merely refused.
    pub async fn handle(&self, call: Call, payload: Vec<u8>) -> Result<(), Unhandled> {
        let component = || self.grants.component.clone();
        let failed = |error: wasmtime::Error| Unhandled::Failed {
            component: component(),
            source: error.into(),
        };
        let deadline = call.deadline;
        let taken = tokio::time::timeout_at(deadline.into(), self.take()).await;
        let taken =
            taken.unwrap_or_else(|_| Err(wasmtime::format_err!("it did not start in time")));
        let no_instance = |error: wasmtime::Error| match error.is::<Trap>() {
            true => failed(error),
            false => Unhandled::NoInstance {
                component: component(),
                source: error.into(),
            },
        };
        let mut resting = taken.map_err(no_instance)?;
        resting.store.data_mut().begin(call);
        resting.calls += 1;
        resting.life.set_busy(true);

        let guest = &resting.guest;
        let pace = resting.store.data().pace().clone();
        let work = resting.store.run_concurrent(async |accessor| {
            let answer = guest
                .spin_redis_inbound_redis()
                .call_handle_message(accessor, payload)
                .await;
            poll_fn(|cx| accessor.poll_no_interesting_tasks(cx)).await;
            answer
        });
        let answer = tokio::time::timeout_at(deadline.into(), pace.watch(work))
            .await
            .map_err(|_| Unhandled::Late {
                component: component(),
            })?
            .and_then(|answer| answer)
            .map_err(failed)?;
        self.put_back(resting);
        answer.map_err(|error| Unhandled::Refused {
            component: component(),
            reason: format!("{error:?}"),
        })
    }

    /// Drops the instances that nobody has needed for a while.
    pub fn tidy(&self) {
        let now = Instant::now();
        let patience = match self.population.is_retired() {
            true => Duration::ZERO,
            false => self.population.bounds().idle,
        };
        let mut idle = self.idle.lock();
        let stale = idle
            .iter()
            .take_while(|resting| now.duration_since(resting.since) >= patience)
            .take_while(|resting| resting.life.may_leave())
            .count();
        let dropped: Vec<_> = idle.drain(..stale).collect();
        drop(idle);
        drop(dropped);
    }

    async fn take(&self) -> wasmtime::Result<Resting> {
        // The one used last is the one whose memory is still warm, and lets the others grow old.
        let warm = self.idle.lock().pop();
        match warm {
            Some(resting) => Ok(resting),
            None => self.make().await,
        }
    }

    /// Makes one instance, to see whether it can be done.
    ///
    /// # Errors
    /// When it cannot.
    pub async fn rehearse(&self) -> wasmtime::Result<()> {
        let made = self.make().await?;
        self.put_back(made);
        Ok(())
    }

    /// Makes instances until there are as many as are to be kept.
    ///
    /// # Errors
    /// When one cannot be made.
    pub async fn stock(&self) -> wasmtime::Result<()> {
        while self.population.is_short() {
            let made = self.make().await?;
            self.put_back(made);
        }
        Ok(())
    }

    async fn make(&self) -> wasmtime::Result<Resting> {
        let life = self.population.grow()?;
        let mut store = super::store(&self.engine, &self.grants)?;
        let guest = in_time(&self.grants, self.guest.instantiate_async(&mut store)).await?;
        Ok(Resting {
            store,
            guest,
            calls: 0,
            since: Instant::now(),
            life,
        })
    }

    fn put_back(&self, mut resting: Resting) {
        resting.life.set_busy(false);
        resting.store.data().pace().begin();
        if resting.calls < REUSE && !self.population.is_retired() {
            resting.since = Instant::now();
            self.idle.lock().push(resting);
        }
    }
}
