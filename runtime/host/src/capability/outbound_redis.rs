//! placeholder
use wasmtime::component::{Accessor, Resource};
use super::bindings::spin::redis::redis::*;
use super::{Capabilities, View};
pub struct Connection;
#[derive(Clone)]
pub struct Servers;
impl Host for View<'_> {}
impl HostConnection for View<'_> {
    fn drop(&mut self, c: Resource<Connection>) -> wasmtime::Result<()> { self.table.delete(c)?; Ok(()) }
}
type R<T> = wasmtime::Result<Result<T, Error>>;
fn no<T>() -> R<T> { Ok(Err(Error::Other("not yet".into()))) }
impl<T: Send + 'static> HostConnectionWithStore<T> for Capabilities {
    async fn open(a: &Accessor<T, Self>, _: String) -> R<Resource<Connection>> { a.with(|mut a| Ok(Ok(a.get().table.push(Connection)?))) }
    async fn publish(_: &Accessor<T, Self>, _: Resource<Connection>, _: String, _: Vec<u8>) -> R<()> { no() }
    async fn get(_: &Accessor<T, Self>, _: Resource<Connection>, _: String) -> R<Option<Vec<u8>>> { no() }
    async fn set(_: &Accessor<T, Self>, _: Resource<Connection>, _: String, _: Vec<u8>) -> R<()> { no() }
    async fn incr(_: &Accessor<T, Self>, _: Resource<Connection>, _: String) -> R<i64> { no() }
    async fn del(_: &Accessor<T, Self>, _: Resource<Connection>, _: Vec<String>) -> R<u32> { no() }
    async fn sadd(_: &Accessor<T, Self>, _: Resource<Connection>, _: String, _: Vec<String>) -> R<u32> { no() }
    async fn smembers(_: &Accessor<T, Self>, _: Resource<Connection>, _: String) -> R<Vec<String>> { no() }
    async fn srem(_: &Accessor<T, Self>, _: Resource<Connection>, _: String, _: Vec<String>) -> R<u32> { no() }
    async fn execute(_: &Accessor<T, Self>, _: Resource<Connection>, _: String, _: Vec<RedisParameter>) -> R<Vec<RedisResult>> { no() }
}
