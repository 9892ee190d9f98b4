//! Farms of other hosts, and how each is reached.

use std::fmt;
use std::str::FromStr;

use crate::host::Host;
use crate::tls::TLS_PORT;

/// A farm of another host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// Over ssh.
    Ssh(Host),
    /// Over TLS.
    Tls(TlsHost),
}

/// A farm that is reached over TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsHost {
    /// The host, as it stands in its certificate.
    pub host: String,
    /// Where it listens.
    pub port: u16,
    /// The root there; nothing where the server has one only.
    pub root: String,
}

/// A text that names no farm of another host.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{}' names no farm of another host: that is ssh:[USER@]HOST:DIR or tls:HOST[:PORT]:DIR; without DIR it is the one that is served there",
    pseudotape_human::printable(.0)
)]
pub struct BadPlace(String);

const SSH: &str = "ssh:";
const TLS: &str = "tls:";

impl Place {
    /// Whether a text means a farm of another host, and no folder of this one.
    #[must_use]
    pub fn is_meant(text: &str) -> bool {
        text.starts_with(SSH) || text.starts_with(TLS)
    }
}

impl FromStr for Place {
    type Err = BadPlace;

    fn from_str(text: &str) -> Result<Self, BadPlace> {
        let bad = || BadPlace(text.to_owned());
        match text.strip_prefix(TLS) {
            Some(place) => Ok(Place::Tls(tls(place).ok_or_else(bad)?)),
            None => Ok(Place::Ssh(text.parse().map_err(|_| bad())?)),
        }
    }
}

/// `HOST:DIR` or `HOST:PORT:DIR`.
fn tls(place: &str) -> Option<TlsHost> {
    let (host, rest) = match place.strip_prefix('[') {
        Some(rest) => rest.split_once("]:")?,
        None => place.split_once(':')?,
    };
    let (port, root) = match rest.split_once(':') {
        // A path has its own colons; it begins with a stroke.
        Some((port, root)) if !rest.starts_with('/') => (port.parse().ok()?, root),
        _ => (TLS_PORT, rest),
    };
    let unfit = |c: char| c.is_whitespace() || c.is_control() || c == '/' || c == '@';
    let is_path = root.is_empty() || root.starts_with('/');
    let fits = !host.is_empty() && !host.contains(unfit) && !root.contains(['\n', '\0']);
    (fits && is_path && port > 0).then(|| TlsHost {
        host: host.to_owned(),
        port,
        root: root.to_owned(),
    })
}

impl TlsHost {
    /// The host with its port, as people say it.
    #[must_use]
    pub fn address(&self) -> String {
        match self.host.contains(':') {
            true => format!("[{}]:{}", self.host, self.port),
            false => format!("{}:{}", self.host, self.port),
        }
    }
}

impl fmt::Display for TlsHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{TLS}{}:{}", self.address(), self.root)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Ssh(host) => host.fmt(f),
            Place::Tls(host) => host.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_farm_of_another_host_is_read_and_written() {
        let read = |text: &str| text.parse::<Place>().map(|place| place.to_string());
        for (text, written) in [
            ("tls:far:/srv/farm", "tls:far:22256:/srv/farm"),
            ("tls:far:", "tls:far:22256:"),
            ("tls:far:4711:", "tls:far:4711:"),
            ("tls:192.0.2.7:1:/a:b", "tls:192.0.2.7:1:/a:b"),
            ("tls:far:/a:b", "tls:far:22256:/a:b"),
            ("tls:[2001:db8::1]:/f", "tls:[2001:db8::1]:22256:/f"),
            ("ssh:ada@far:/srv/farm", "ssh:ada@far:/srv/farm"),
        ] {
            assert_eq!(read(text).as_deref(), Ok(written), "{text}");
        }
        for text in [
            "/srv/farm",
            "tls:far",
            "tls::/f",
            "tls:far:4711",
            "tls:far:0:/f",
            "tls:far:65536:/f",
            "tls:far:relative",
            "tls:ada@far:/f",
            "tls:far:/a\nb",
            "ssh:far",
        ] {
            let error = read(text).expect_err(text);
            assert!(error.to_string().contains("tls:HOST[:PORT]:DIR"), "{error}");
        }
    }
}
