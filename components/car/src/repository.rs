//! Loading and saving cars: the one place that knows their keys.

mod record;

use crate::domain::{Car, Transition};
use events::{CAR_STREAM, CarId};
use kit::{Aggregates, ChangeError, Decision, Origin, Platform, StoreError, Versioned, numbering};

/// The stored cars of a platform.
pub struct CarRepository<P> {
    /// Stores, event log and clock.
    pub platform: P,
}

impl<P: Platform> CarRepository<P> {
    /// The cars in the store of `platform`.
    pub fn new(platform: P) -> Self {
        Self { platform }
    }

    /// Loads one car, also a deleted one; `None` when it was never registered.
    ///
    /// # Errors
    ///
    /// [`ChangeError`] when the store fails or the stored value cannot be read.
    pub async fn find<R>(&self, id: CarId) -> Result<Option<Versioned<Car>>, ChangeError<R>> {
        self.aggregates().load(&key(id)).await
    }

    /// Allocates the number of a new car.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the store fails; the number may then be lost.
    pub async fn allocate_number(&self) -> Result<CarId, StoreError> {
        let key = |number| key(CarId(number));
        numbering::allocate(&self.platform, key).await.map(CarId)
    }

    /// Changes one car and announces the change; returns the car as it is afterwards.
    ///
    /// `decide` is called again after each lost compare-and-swap.
    ///
    /// # Errors
    ///
    /// What `decide` returns, and [`ChangeError`] when the store fails.
    pub async fn change<R>(
        &self,
        id: CarId,
        origin: &Origin,
        decide: impl FnMut(Option<&Versioned<Car>>) -> Result<Decision<Car, ()>, R>,
    ) -> Result<Option<Versioned<Car>>, ChangeError<R>> {
        let changed = self.aggregates().change(&key(id), origin, decide).await?;
        if let Some(Car::Deleted { id }) = changed.current.as_ref().map(|car| &car.state) {
            // A failure is ignored: the next list that reads the number retires it.
            let _ = numbering::retire(&self.platform, id.0).await;
        }
        Ok(changed.current)
    }

    /// Applies a transition to one car and announces it. A no-op when the car does not exist.
    ///
    /// # Errors
    ///
    /// [`ChangeError`] when the store fails.
    pub async fn transition<R>(
        &self,
        id: CarId,
        origin: &Origin,
        transition: impl Fn(&Car) -> Transition,
    ) -> Result<(), ChangeError<R>> {
        self.change(id, origin, |car| {
            Ok(match car.and_then(|car| transition(&car.state)) {
                Some((car, event)) => Decision::Commit(car, event.into_iter().collect(), ()),
                None => Decision::Keep(()),
            })
        })
        .await?;
        Ok(())
    }

    fn aggregates(&self) -> Aggregates<'_, P> {
        Aggregates::new(&self.platform, CAR_STREAM, "socar/car")
    }
}

fn key(id: CarId) -> String {
    format!("car/{id}")
}
