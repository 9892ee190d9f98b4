//! Farms of other hosts, and how each is reached.

use std::fmt;
use std::str::FromStr;

use pseudotape_human::printable;

use crate::host::{Host, fit_root, host_and_rest};
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
    "'{}' names no farm of another host: {why}. That is ssh:[USER@]HOST:DIR or tls:HOST[:PORT]:DIR; without DIR it is the one that is served there",
    pseudotape_human::printable(.text)
)]
pub struct BadPlace {
    text: String,
    /// Which part of it is not as it has to be.
    why: String,
}

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
        let place = match text.strip_prefix(TLS) {
            Some(place) => tls(place).map(Place::Tls),
            None => Host::parse(text).map(Place::Ssh),
        };
        place.map_err(|why| BadPlace {
            text: text.to_owned(),
            why,
        })
    }
}

/// `HOST:DIR` or `HOST:PORT:DIR`; else which part is wrong.
fn tls(place: &str) -> Result<TlsHost, String> {
    let (host, rest) = host_and_rest(place)?;
    let (port, root) = match rest.split_once(':') {
        // A path has its own colons; it begins with a stroke.
        Some((port, root)) if !rest.starts_with('/') => (port_of(port)?, root),
        _ => (TLS_PORT, rest),
    };
    if host.contains('@') {
        return Err(format!(
            "'{}' has a user, and the certificate says who the client is",
            printable(host)
        ));
    }
    let unfit = |c: char| c.is_whitespace() || c.is_control() || c == '/';
    if host.contains(unfit) {
        return Err(format!("'{}' can't be a host", printable(host)));
    }
    fit_root(root)?;
    Ok(TlsHost {
        host: host.to_owned(),
        port,
        root: root.to_owned(),
    })
}

fn port_of(text: &str) -> Result<u16, String> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse() {
        Ok(port @ 1..) if digits => Ok(port),
        _ if text.is_empty() => {
            Err("between two colons stands no port: leave one of them out".to_owned())
        }
        _ => Err(format!(
            "'{}' is no port, which is a number from 1 to 65535 (an address with colons stands in brackets)",
            printable(text)
        )),
    }
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

    #[test]
    fn the_part_that_is_wrong_is_named() {
        for (text, part) in [
            ("tls:localhost:22256::", "':' is no path"),
            ("tls:localhost::", "between two colons stands no port"),
            ("tls:localhost::/f", "between two colons stands no port"),
            ("tls:::", "it has no host"),
            ("tls:", "it has no host"),
            ("tls::22256:", "it has no host"),
            ("tls:far", "behind the host 'far' stands no colon"),
            ("tls:far:4711", "'4711' is no path"),
            ("tls:far:+1:/f", "'+1' is no port"),
            ("tls:far:0:/f", "'0' is no port"),
            ("tls:2001:db8::1:/f", "'db8' is no port"),
            (
                "tls:[2001:db8::1:/f",
                "a bracket is opened, and ']:' does not follow",
            ),
            ("tls:[]:/f", "it has no host"),
            ("tls:a b:/f", "'a b' can't be a host"),
            ("tls:ada@far:/f", "'ada@far' has a user"),
            ("tls:far:/a\nb", "its path has a line end"),
            ("ssh:far", "behind the host 'far' stands no colon"),
            ("ssh::/f", "it has no host"),
            ("ssh:@far:/f", "before the '@' stands no user"),
            ("ssh:far::", "':' is no path"),
            ("ssh:far:22::", "'22::' is no path"),
            ("ssh:-x:/f", "'-x' can't be a host"),
            ("ssh:-l@far:/f", "'-l' can't be a user"),
        ] {
            let error = text.parse::<Place>().expect_err(text).to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
