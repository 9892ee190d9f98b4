//! The client's side of a TLS connection.

use std::io;
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::client::Resumption;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};

use super::files::{TlsFiles, UnfitFile};
use super::secure::{Incoming, Outgoing, Secure};
use super::words::for_client;
use super::{VERSIONS, provider};
use crate::error::Error;
use crate::link::Link;
use crate::place::TlsHost;

/// So long a host may take to answer at each of its addresses.
const CONNECT: Duration = Duration::from_secs(20);
/// So long the handshake may take: the server is begun for this connection.
const HANDSHAKE: Duration = Duration::from_secs(60);

fn config(files: &TlsFiles) -> Result<ClientConfig, UnfitFile> {
    let (certificates, key) = files.own()?;
    let config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(VERSIONS)
        .map_err(|error| files.refused(&error))?
        .with_root_certificates(files.authorities()?)
        .with_client_auth_cert(certificates, key);
    let mut config = config.map_err(|error| files.refused(&error))?;
    config.resumption = Resumption::disabled();
    Ok(config)
}

/// A link to a farm's host that has shown who it is.
pub(crate) fn connect(host: &TlsHost, files: &TlsFiles) -> Result<Link, Error> {
    let untrusted = |why: String| Error::Untrusted {
        host: host.to_string(),
        why,
    };
    let config = config(files).map_err(|error| untrusted(error.to_string()))?;
    let name = ServerName::try_from(host.host.clone());
    let name = name.map_err(|_| {
        untrusted(format!(
            "'{}' can't stand in a certificate: say the name or the address of a host",
            pseudotape_human::printable(&host.host)
        ))
    })?;
    let socket = reach(host)?;
    let connection = ClientConnection::new(Arc::new(config), name);
    let connection = connection.map_err(|error| untrusted(error.to_string()))?;
    let (cert, authority) = (files.cert.clone(), files.authority.clone());
    let words = Box::new(move |error: &rustls::Error| for_client(error, &cert, &authority));
    let until = Instant::now() + HANDSHAKE;
    let secure = Secure::shake_hands(connection, socket, words, until);
    let secure = secure.map_err(|error| match error.kind() {
        io::ErrorKind::InvalidData => untrusted(error.to_string()),
        io::ErrorKind::TimedOut => Error::Unreachable {
            host: host.to_string(),
            why: format!(
                "it takes connections, and does not shake hands within {} s",
                HANDSHAKE.as_secs()
            ),
        },
        _ => hung_up(host),
    })?;
    Ok(Link::new(Incoming(Arc::clone(&secure)), Outgoing(secure)))
}

/// The server went before it was known who is who.
fn hung_up(host: &TlsHost) -> Error {
    Error::Unreachable {
        host: host.to_string(),
        why: "it hung up while the connection began: it may have as many sessions as it takes (--sessions), and its log says it"
            .to_owned(),
    }
}

fn reach(host: &TlsHost) -> Result<TcpStream, Error> {
    let unreachable = |why: String| Error::Unreachable {
        host: host.to_string(),
        why,
    };
    let addresses = (host.host.as_str(), host.port).to_socket_addrs();
    let addresses = addresses.map_err(|error| {
        unreachable(format!(
            "no address is known of host '{}' ({error}): is the name spelt right?",
            pseudotape_human::printable(&host.host)
        ))
    })?;
    let mut last = None;
    for address in addresses {
        match TcpStream::connect_timeout(&address, CONNECT) {
            Ok(socket) => return Ok(socket),
            Err(error) => last = Some(error),
        }
    }
    Err(match last {
        Some(error) if error.kind() == io::ErrorKind::ConnectionRefused => unreachable(format!(
            "no service is running at {}: start it there ('systemctl start pseudotape-farm'), or say its port",
            host.address()
        )),
        Some(error) if error.kind() == io::ErrorKind::TimedOut => unreachable(format!(
            "nothing answers at {}: is the host up, and is the port open in its firewall?",
            host.address()
        )),
        Some(error) => unreachable(format!("{}: {error}", host.address())),
        None => unreachable(format!(
            "no address is known of host '{}'",
            pseudotape_human::printable(&host.host)
        )),
    })
}
