//! Whether a client is still there while the server works for it.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use pseudotape_bay::Wanted;

/// Looks at the end from which a client's requests come: one who has closed it no longer waits for long work.
pub(crate) fn of(requests: impl AsFd) -> io::Result<Wanted> {
    let requests = requests.as_fd().try_clone_to_owned()?;
    Ok(Arc::new(move || is_open(&requests)))
}

fn is_open(requests: &OwnedFd) -> bool {
    let end = PollFd::new(
        requests.as_fd(),
        PollFlags::from_bits_retain(libc::POLLRDHUP),
    );
    // Requests that came are not asked for: only an end that was closed makes this more than none. Where nothing is
    // learnt, the next slice asks again.
    poll(&mut [end], PollTimeout::ZERO).map_or(true, |closed| closed == 0)
}

#[cfg(test)]
mod tests {
    use std::net::Shutdown;
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn a_client_is_there_until_it_closes_its_end() {
        let (server, client) = UnixStream::pair().unwrap();
        let wanted = of(&server).unwrap();
        assert!(wanted());
        client.shutdown(Shutdown::Write).unwrap();
        assert!(!wanted());
        let (input, output) = io::pipe().unwrap();
        let wanted = of(&input).unwrap();
        assert!(wanted());
        drop(output);
        assert!(!wanted());
    }
}
