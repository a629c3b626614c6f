//! Redis addresses: how they are opened and compared.

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
    open(address).map_err(RedisClientError::InvalidAddress)
}

fn open(address: &str) -> Result<(Client, Client), RedisError> {
    let info = address
        .into_connection_info()?
        .set_tcp_settings(TcpSettings::default().set_nodelay(true));
    let mut settings = info.redis_settings().clone();
    if settings.username().is_some() && settings.password().is_none() {
        // Without a password the client would connect as `default`. A user without one accepts any.
        settings = settings.set_password("");
    }
    let info = info.set_redis_settings(settings);
    let with_protocol = |protocol| {
        let settings = info.redis_settings().clone().set_protocol(protocol);
        Client::open(info.clone().set_redis_settings(settings))
    };
    Ok((
        with_protocol(ProtocolVersion::RESP3)?,
        with_protocol(ProtocolVersion::RESP2)?,
    ))
}
