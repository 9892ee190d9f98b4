//! Serving.

use std::io::{IsTerminal, stdin, stdout};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use nix::unistd::{User, getuid};
use pseudotape_farm_net::{Error, Link, Person, Pipe, Served, serve};

use crate::Verdict;
use crate::cli::ServeOptions;
use crate::listen;

/// What sshd says of a connection: the client's address stands first.
const SSH_CONNECTION: &str = "SSH_CONNECTION";
/// The host of who comes neither by ssh nor by a certificate.
const HERE: &str = "localhost";

pub(crate) fn run(options: &ServeOptions) -> Result<Verdict> {
    let roots: Result<Vec<_>> = options.root.iter().map(|said| root(said)).collect();
    let roots = roots?;
    match options.listen {
        Some(address) => listen::run(options, address, &roots),
        None if options.accepted => listen::accepted(options, roots),
        None => over_stdio(options, roots),
    }
}

fn over_stdio(options: &ServeOptions, roots: Vec<PathBuf>) -> Result<Verdict> {
    let connection = std::env::var(SSH_CONNECTION).ok();
    let address = connection
        .as_deref()
        .and_then(|text| text.split_whitespace().next());
    let person = match &options.user {
        Some(person) => person.clone(),
        None => whoever_started(connection.as_deref())?,
    };
    ensure!(
        !stdin().is_terminal(),
        "--stdio is for ssh, which starts it: standard input is a terminal"
    );
    let way = match address {
        Some(address) => format!("ssh {address}"),
        None => "stdio".to_owned(),
    };
    let link = stdio_link().context("can't serve on standard input and output")?;
    let privately = options.private;
    let served = Served {
        roots,
        person,
        privately,
        commands: options.allowed_commands()?,
        hook: options.hook()?,
        way,
    };
    Ok(session(link, &served))
}

/// The root, with its whole path: clients say which one they mean.
fn root(said: &Path) -> Result<PathBuf> {
    let root = std::fs::canonicalize(said);
    let root = root.with_context(|| {
        format!(
            "there is no folder {}: the root of a farm has to be there",
            said.display()
        )
    })?;
    match root.is_dir() {
        true => Ok(root),
        false => bail!("{} is no folder", said.display()),
    }
}

/// The user of this process, at the host that ssh names.
fn whoever_started(connection: Option<&str>) -> Result<Person> {
    let uid = getuid();
    let user = User::from_uid(uid).ok().flatten();
    let user = user.map_or_else(|| format!("uid{uid}"), |user| user.name);
    let host = connection.and_then(|text| text.split_whitespace().next());
    let text = format!("{user}@{}", host.unwrap_or(HERE));
    text.parse()
        .with_context(|| "who the client is can't be said: --user says it".to_owned())
}

fn stdio_link() -> Result<Link> {
    let input = Pipe::new(stdin().as_fd().try_clone_to_owned()?)?;
    let output = Pipe::new(stdout().as_fd().try_clone_to_owned()?)?;
    let watched = stdin().as_fd().try_clone_to_owned()?;
    Ok(Link::watching(input, output, watched))
}

/// One session, and how it ended.
fn session(link: Link, served: &Served) -> Verdict {
    let person = &served.person;
    match serve(link, served) {
        Ok(()) => Verdict::Well,
        // The client shows it; by ssh this log would come to him as well.
        Err(Error::Refused { text, .. }) => {
            log::debug!("{person}: refused: {text}");
            Verdict::OutOfOrder
        }
        Err(error) => {
            log::error!("{person}: {error}");
            Verdict::OutOfOrder
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_comes_by_ssh_is_this_user_at_the_host_that_ssh_names() {
        let person = whoever_started(Some("192.0.2.7 4711 192.0.2.1 22")).expect("a person");
        assert_eq!(person.host, "192.0.2.7");
        let here = whoever_started(None).expect("a person");
        assert_eq!(here.host, HERE);
        assert_eq!(here.user, person.user);
    }
}
