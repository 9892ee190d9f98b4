//! Where a farm is that another host has.

use std::ffi::OsString;
use std::fmt;

use pseudotape_human::printable;
use pseudotape_rmt::Reach;

/// The program that serves there.
const SERVER: &str = "pseudotape-farm";

/// A farm of another host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// `None`: as ssh decides.
    pub user: Option<String>,
    /// The host.
    pub host: String,
    /// The root there; nothing where the server's own is meant.
    pub root: String,
}

/// The host, which may stand in brackets, and what is behind its colon; else which part is wrong.
pub(crate) fn host_and_rest(place: &str) -> Result<(&str, &str), String> {
    let (host, rest) = match place.strip_prefix('[') {
        Some(rest) => rest
            .split_once("]:")
            .ok_or("a bracket is opened, and ']:' does not follow")?,
        None if place.is_empty() => ("", ""),
        None => place
            .split_once(':')
            .ok_or_else(|| format!("behind the host '{}' stands no colon", printable(place)))?,
    };
    match host.is_empty() {
        true => Err("it has no host".to_owned()),
        false => Ok((host, rest)),
    }
}

/// A root is a whole path, or nothing.
pub(crate) fn fit_root(root: &str) -> Result<(), String> {
    if root.contains(['\n', '\0']) {
        return Err("its path has a line end or a NUL".to_owned());
    }
    match root.is_empty() || root.starts_with('/') {
        true => Ok(()),
        false => Err(format!(
            "'{}' is no path: it has to begin with '/'",
            printable(root)
        )),
    }
}

impl Host {
    /// `ssh:[USER@]HOST:DIR`; else which part is wrong.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let place = text
            .strip_prefix("ssh:")
            .ok_or("it begins with neither 'ssh:' nor 'tls:'")?;
        let (user, rest) = match place.split_once('@') {
            Some((user, rest)) if !user.contains([':', '/']) => (Some(user), rest),
            _ => (None, place),
        };
        // ssh would take these for options.
        let unfit = |name: &str| name.starts_with('-') || name.contains(char::is_whitespace);
        match user {
            Some("") => return Err("before the '@' stands no user".to_owned()),
            Some(user) if unfit(user) => {
                return Err(format!("'{}' can't be a user", printable(user)));
            }
            _ => {}
        }
        let (host, root) = host_and_rest(rest)?;
        if unfit(host) {
            return Err(format!("'{}' can't be a host", printable(host)));
        }
        fit_root(root)?;
        Ok(Host {
            user: user.map(str::to_owned),
            host: host.to_owned(),
            root: root.to_owned(),
        })
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ssh:")?;
        if let Some(user) = &self.user {
            write!(f, "{user}@")?;
        }
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.root),
            false => write!(f, "{}:{}", self.host, self.root),
        }
    }
}

impl Host {
    /// How it is reached: by `ssh`, or by a program that is called as `PROGRAM [-l USER] HOST COMMAND`.
    #[must_use]
    pub fn reach(&self, rsh: &OsString) -> Reach {
        let mut server = format!("{SERVER} serve --stdio");
        if !self.root.is_empty() {
            server += &format!(
                " --root {}",
                pseudotape_human::shell_word(self.root.clone())
            );
        }
        let server = OsString::from(server);
        if rsh == "ssh" {
            return Reach::Ssh {
                user: self.user.clone(),
                host: self.host.clone(),
                server,
            };
        }
        let mut words = vec![rsh.clone()];
        if let Some(user) = &self.user {
            words.extend(["-l".into(), user.into()]);
        }
        words.extend([OsString::from(&self.host), server]);
        Reach::Command(words)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_farm_of_another_host_is_read_and_written() {
        for text in ["ssh:ada@far:/srv/farm", "ssh:far:", "ssh:[2001:db8::1]:/f"] {
            assert_eq!(Host::parse(text).expect(text).to_string(), text);
        }
        for text in [
            "/srv/farm",
            "ssh:far",
            "ssh::/f",
            "ssh:-oProxyCommand=x:/f",
            "ssh:-l@far:/f",
            "ssh:far:relative",
            "ssh:far:/a\nb",
        ] {
            assert!(Host::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_command_for_the_other_shell_quotes_the_root() {
        let host = Host::parse("ssh:far:/srv/my farm").expect("a farm");
        let Reach::Ssh { server, .. } = host.reach(&"ssh".into()) else {
            panic!("not by ssh");
        };
        assert_eq!(
            server,
            "pseudotape-farm serve --stdio --root \"/srv/my farm\""
        );
    }
}
