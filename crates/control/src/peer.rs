//! Who is at the other end of a socket.

use std::os::unix::net::UnixStream;

use nix::sys::socket::{getsockopt, sockopt};
use nix::unistd::geteuid;

/// The process that connected, as the kernel names it (`SO_PEERCRED`). It can't be made up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its process id at the time; 0 where unknown, or in another pid namespace.
    pub pid: u32,
    /// Its effective user; `None` where the kernel does not say.
    pub uid: Option<u32>,
}

impl Peer {
    /// Who connected this stream.
    #[must_use]
    pub fn of(stream: &UnixStream) -> Peer {
        match getsockopt(stream, sockopt::PeerCredentials) {
            Ok(peer) => Peer {
                pid: u32::try_from(peer.pid()).unwrap_or(0),
                uid: Some(peer.uid()),
            },
            Err(error) => {
                log::debug!("who connected: {error}");
                Peer { pid: 0, uid: None }
            }
        }
    }

    /// Whether it can do by itself all that the daemon can: it is root, or the daemon's own user.
    ///
    /// Everybody else was let in by the socket's group and mode, and has no more authority than the configuration
    /// lends.
    #[must_use]
    pub fn is_own(&self) -> bool {
        self.uid
            .is_some_and(|uid| uid == 0 || uid == geteuid().as_raw())
    }
}

impl std::fmt::Display for Peer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.uid {
            Some(uid) => write!(f, "pid {} of user {uid}", self.pid),
            None => write!(f, "pid {} of an unknown user", self.pid),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_says_who_connected() {
        let (here, _there) = UnixStream::pair().unwrap();
        let peer = Peer::of(&here);
        assert_eq!(peer.pid, std::process::id());
        assert_eq!(peer.uid, Some(geteuid().as_raw()));
        assert!(peer.is_own());
    }

    #[test]
    fn root_and_the_daemons_user_are_its_own_and_nobody_else() {
        let peer = |uid| Peer { pid: 1, uid };
        let own = geteuid().as_raw();
        assert!(peer(Some(0)).is_own() && peer(Some(own)).is_own());
        assert!(!peer(Some(own + 1)).is_own());
        assert!(!peer(None).is_own());
    }
}
