//! A port of this machine that belongs to one server of a test, also while that server is down.

use std::net::SocketAddr;

use tokio::net::TcpSocket;

/// A port that the system gives to no other process: a socket is bound to it and does not listen, so that the system refuses
/// connections until the server listens. A server binds the same port if it sets `SO_REUSEADDR`, as servers do.
#[derive(Debug)]
pub(crate) struct ReservedPort {
    address: SocketAddr,
    /// Only Linux lets a second socket bind the port. On other systems, another process may take it.
    _reservation: Option<TcpSocket>,
}

// === impl ReservedPort ===

impl ReservedPort {
    /// Any free port on the loopback address.
    ///
    /// # Panics
    /// When there is none.
    pub fn any() -> Self {
        let socket = bind(([127, 0, 0, 1], 0).into());
        let address = socket.local_addr();
        Self {
            address: address.unwrap_or_else(|error| panic!("no address of a port: {error}")),
            _reservation: cfg!(target_os = "linux").then_some(socket),
        }
    }

    /// The address with the port.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A socket that can listen at the port.
    ///
    /// # Panics
    /// When a server listens there already.
    pub fn socket(&self) -> TcpSocket {
        bind(self.address)
    }
}

fn bind(address: SocketAddr) -> TcpSocket {
    let socket = TcpSocket::new_v4().and_then(|socket| {
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        Ok(socket)
    });
    socket.unwrap_or_else(|error| panic!("no port for a server: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::runtime;
    use std::net::TcpStream;

    #[test]
    fn a_reserved_port_refuses_connections_until_its_server_listens() {
        let port = ReservedPort::any();
        let connect = || TcpStream::connect(port.address());
        for _ in 0..2 {
            assert!(connect().is_err());
            let _context = runtime().enter();
            let listener = port.socket().listen(1).expect("it listens");
            assert!(connect().is_ok());
            drop(listener);
        }
    }
}
