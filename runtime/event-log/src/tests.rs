//! One suite, run against each implementation.

macro_rules! on_both_logs {
    ($($name:ident),* $(,)?) => {
        mod on_embedded {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::$name($crate::test_support::embedded()).await;
            })*
        }
        mod on_redis {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::$name($crate::test_support::redis().await).await;
            })*
        }
    };
}
macro_rules! on_redis {
    ($($name:ident),* $(,)?) => {
        mod on_redis_only {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::$name($crate::test_support::redis().await).await;
            })*
        }
    };
}
pub(crate) use on_both_logs;
pub(crate) use on_redis;

mod clocks;
mod consumers;
mod continuity;
mod crashes;
mod event_types;
mod foreign_entries;
mod letters;
mod reading;
mod sole_consumers;
mod trimming;

use super::*;
use crate::test_support::{Fixture, event};
use storage::redis_client::RedisClient;
use storage::redis_client::test_support::RedisServer;

const STREAM: &str = "socar.car";
const AT_ONCE: Duration = Duration::ZERO;
const LONG_TIMEOUT: Duration = Duration::from_secs(60);

/// A log on a Redis server of its own, and a client for what others do to the server.
struct RedisFixture {
    fixture: Fixture,
    client: Arc<RedisClient>,
}

impl RedisFixture {
    async fn start() -> Self {
        let server = RedisServer::start().await;
        let client = server.client();
        let log = Arc::new(RedisLog::new(client.clone()));
        Self {
            fixture: Fixture::of(log, Box::new(server)),
            client,
        }
    }

    /// Executes a command: its name and its arguments.
    async fn query<T: ::redis::FromRedisValue>(&self, command: &[impl ::redis::ToRedisArgs]) -> T {
        let query = ::redis::Cmd::new().arg(command).to_owned();
        self.client.query(&query).await.unwrap()
    }
}

fn consumer(group: &str, name: &str) -> Consumer {
    Consumer::new(group, name, &[STREAM])
}

fn number(delivery: &Delivery) -> usize {
    let event: serde_json::Value =
        serde_json::from_slice(delivery.event.as_ref().unwrap()).unwrap();
    event["id"].as_str().unwrap().parse().unwrap()
}

fn numbers(deliveries: &[Delivery]) -> Vec<usize> {
    deliveries.iter().map(number).collect()
}

impl Fixture {
    /// Appends events numbered from 1, one for each subject.
    async fn publish(&self, subjects: &[&str]) -> Vec<EntryId> {
        let mut ids = Vec::new();
        for (number, subject) in (1..).zip(subjects) {
            ids.push(
                self.log
                    .append(STREAM, &event(subject, number))
                    .await
                    .unwrap(),
            );
        }
        ids
    }

    async fn subscribed(&self, group: &str, name: &str) -> Consumer {
        let consumer = consumer(group, name);
        self.log.subscribe(&consumer).await.unwrap();
        consumer
    }

    async fn claim(&self, consumer: &Consumer) -> Vec<Delivery> {
        self.log.claim(consumer, 1000, AT_ONCE).await.unwrap()
    }

    async fn acknowledge(&self, consumer: &Consumer, deliveries: &[Delivery]) {
        let positions: Vec<_> = deliveries.iter().map(|d| d.position.clone()).collect();
        self.log
            .acknowledge(&consumer.group, &positions)
            .await
            .unwrap();
    }

    async fn state(&self, group: &str) -> GroupState {
        let states = self.log.groups(STREAM).await.unwrap();
        states
            .into_iter()
            .find(|state| state.group == group)
            .unwrap()
    }

    async fn letters(&self) -> Vec<dead_letters::DeadLetter> {
        dead_letters::list(&*self.log, None, 100).await.unwrap()
    }

    async fn parked(&self, consumer: &Consumer, delivery: &Delivery, error: &str) -> EntryId {
        let parked = self
            .log
            .park(&consumer.group, &delivery.position, error, 3)
            .await;
        parked.unwrap().unwrap()
    }
}
