//! Where a farm is that another host has.

use std::ffi::OsString;
use std::fmt;
use std::str::FromStr;

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

/// A text that names no farm of another host.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{0}' names no farm of another host: that is ssh:[USER@]HOST:DIR, or ssh:[USER@]HOST: for the one that is served there"
)]
pub struct BadHost(String);

impl FromStr for Host {
    type Err = BadHost;

    fn from_str(text: &str) -> Result<Self, BadHost> {
        let bad = || BadHost(text.to_owned());
        let place = text.strip_prefix("ssh:").ok_or_else(bad)?;
        let (user, rest) = match place.split_once('@') {
            Some((user, rest)) if !user.contains([':', '/']) => (Some(user), rest),
            _ => (None, place),
        };
        let (host, root) = match rest.strip_prefix('[') {
            Some(rest) => rest.split_once("]:").ok_or_else(bad)?,
            None => rest.split_once(':').ok_or_else(bad)?,
        };
        // ssh would take these for options.
        let unfit = |name: &str| {
            name.is_empty() || name.starts_with('-') || name.contains(char::is_whitespace)
        };
        let is_path = root.is_empty() || root.starts_with('/');
        if unfit(host) || user.is_some_and(unfit) || root.contains(['\n', '\0']) || !is_path {
            return Err(bad());
        }
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
            assert_eq!(text.parse::<Host>().expect(text).to_string(), text);
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
            assert!(text.parse::<Host>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_command_for_the_other_shell_quotes_the_root() {
        let host: Host = "ssh:far:/srv/my farm".parse().expect("a farm");
        let Reach::Ssh { server, .. } = host.reach(&"ssh".into()) else {
            panic!("not by ssh");
        };
        assert_eq!(
            server,
            "pseudotape-farm serve --stdio --root \"/srv/my farm\""
        );
    }
}
