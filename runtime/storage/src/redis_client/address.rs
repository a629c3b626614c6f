//! Redis addresses: how they are opened, compared and shown.

use redis::io::tcp::TcpSettings;
use redis::{Client, IntoConnectionInfo, ProtocolVersion, RedisError};

use super::error::RedisClientError;

/// An address in the form in which addresses are compared: the server and its database, without credentials; `None` if
/// the text is not a Redis address.
pub fn canonical_address(address: &str) -> Option<String> {
    let info = address.into_connection_info().ok()?;
    Some(format!("{}/{}", info.addr(), info.redis_settings().db()))
}

/// Two clients of one address: the first uses RESP3, the second RESP2.
pub(super) fn clients(address: &str) -> Result<(Client, Client), RedisClientError> {
    open(address).map_err(|source| RedisClientError::InvalidAddress {
        address: without_password(address),
        source,
    })
}

fn open(address: &str) -> Result<(Client, Client), RedisError> {
    let info = address
        .into_connection_info()?
        .set_tcp_settings(TcpSettings::default().set_nodelay(true));
    let with_protocol = |protocol| {
        let settings = info.redis_settings().clone().set_protocol(protocol);
        Client::open(info.clone().set_redis_settings(settings))
    };
    Ok((
        with_protocol(ProtocolVersion::RESP3)?,
        with_protocol(ProtocolVersion::RESP2)?,
    ))
}

/// The address without its credentials, for messages.
fn without_password(address: &str) -> String {
    match (address.split_once("://"), address.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://…@{host}"),
        _ => address.to_owned(),
    }
}
