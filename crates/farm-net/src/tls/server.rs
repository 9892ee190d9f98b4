//! The farm's side of a TLS connection.

use std::io;
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::{ServerConfig, ServerConnection};

use super::files::{TlsFiles, UnfitFile};
use super::person::person;
use super::secure::{Incoming, Outgoing, Secure};
use super::words::for_server;
use super::{VERSIONS, provider};
use crate::access::Person;
use crate::link::Link;

/// So long a client may take until it is known who it is.
pub const HANDSHAKE: Duration = Duration::from_secs(20);

/// What connections are accepted by.
pub struct TlsServer {
    config: Arc<ServerConfig>,
    files: TlsFiles,
}

/// A client with a certificate of an authority that is known.
pub struct Accepted {
    /// The connection.
    pub link: Link,
    /// Whom the certificate names, or why it is nobody.
    pub person: Result<Person, String>,
}

impl TlsServer {
    /// Reads the files, and finds out whether they can be used.
    pub fn new(files: &TlsFiles) -> Result<Self, UnfitFile> {
        let authorities = files.authorities()?;
        let verifier = WebPkiClientVerifier::builder_with_provider(authorities, provider());
        let verifier = verifier
            .build()
            .map_err(|error| UnfitFile::new(&files.authority, error.to_string()))?;
        let (certificates, key) = files.own()?;
        let config = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(VERSIONS)
            .map_err(|error| files.refused(&error))?
            .with_client_cert_verifier(verifier)
            .with_single_cert(certificates, key);
        let mut config = config.map_err(|error| files.refused(&error))?;
        // Each connection is another process: no session is resumed.
        config.send_tls13_tickets = 0;
        config.session_storage = Arc::new(NoServerSessionStorage {});
        Ok(TlsServer {
            config: Arc::new(config),
            files: files.clone(),
        })
    }

    /// Shakes hands with a client, for [`HANDSHAKE`] at most.
    pub fn accept(&self, socket: TcpStream) -> io::Result<Accepted> {
        let watched = socket.try_clone()?;
        let connection =
            ServerConnection::new(Arc::clone(&self.config)).map_err(io::Error::other)?;
        let authority = self.files.authority.clone();
        let words = Box::new(move |error: &rustls::Error| for_server(error, &authority));
        let until = Instant::now() + HANDSHAKE;
        let secure = Secure::shake_hands(connection, socket, words, until)?;
        let person = match secure.lock().peer_certificates() {
            Some([certificate, ..]) => person(certificate),
            _ => Err("the client has no certificate".to_owned()),
        };
        let link = Link::watching(Incoming(Arc::clone(&secure)), Outgoing(secure), watched);
        Ok(Accepted { link, person })
    }
}
