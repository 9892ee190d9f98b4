//! A file that comes, received by this thread and by one of its own: the same for whoever uses it.

use std::io::{self, Read};
use std::os::unix::net::UnixStream;
use std::thread::spawn;

use super::*;

/// So much of a file comes.
const COMES: usize = 3 * LONG_BYTES as usize / 2 + 17;
/// For either way to receive it.
const LENGTHS: [u64; 2] = [LONG_BYTES - 1, LONG_BYTES];

fn link(end: UnixStream) -> Link {
    Link::new(end.try_clone().expect("a descriptor"), end)
}

fn contents() -> Vec<u8> {
    (0..COMES).map(|at| ((at * 31) >> 7) as u8).collect()
}

/// What becomes of a file that is sent like this, and is used like this; `length` says which way it is received.
fn taken<T>(
    length: u64,
    sent: &[Message],
    using: impl FnOnce(&mut dyn Read) -> T,
) -> (T, End, Result<Message, Error>) {
    let (ours, theirs) = UnixStream::pair().expect("a connection");
    let (mut ours, theirs) = (link(ours), link(theirs));
    std::thread::scope(|scope| {
        scope.spawn(move || {
            for part in contents().chunks(10_240) {
                theirs.output.send_data(part).expect("it is taken");
            }
            for message in sent {
                theirs.send(message).expect("it is taken");
            }
            theirs.flush().expect("it is taken");
        });
        let (used, end) = take(&mut ours, b"headers".to_vec(), length, using);
        (used, end, ours.receive())
    })
}

fn all(from: &mut dyn Read) -> io::Result<Vec<u8>> {
    let mut all = Vec::new();
    from.read_to_end(&mut all).map(|_| all)
}

#[test]
fn a_file_comes_whole() {
    for length in LENGTHS {
        let (read, end, next) = taken(length, &[Message::Whole, Message::Ready], all);
        let read = read.expect("all of it is read");
        assert!(read.starts_with(b"headers") && read[7..] == contents());
        assert!(matches!(end, Ok(None)), "{end:?}");
        assert!(matches!(next, Ok(Message::Ready)), "{next:?}");
    }
}

/// A full disk, or a file that is in the way: the rest comes all the same, and the next answer is found behind it.
#[test]
fn what_is_not_wanted_is_passed() {
    for length in LENGTHS {
        for wanted in [0, 1, 7, 300_000] {
            let some = |from: &mut dyn Read| {
                let mut buffer = vec![0; wanted];
                from.read_exact(&mut buffer).map(|()| buffer)
            };
            let (read, end, next) = taken(length, &[Message::Whole, Message::Ready], some);
            assert_eq!(read.expect("it is read").len(), wanted);
            assert!(matches!(end, Ok(None)), "{end:?}");
            assert!(matches!(next, Ok(Message::Ready)), "{next:?}");
        }
    }
}

#[test]
fn a_file_that_fails_there_says_why() {
    for length in LENGTHS {
        let why = "block 7 is damaged".to_owned();
        let (read, end, next) = taken(length, &[Message::Failed { why }, Message::Ready], all);
        assert_eq!(
            read.expect_err("it is not whole").to_string(),
            "block 7 is damaged"
        );
        assert!(
            matches!(&end, Ok(Some(why)) if why == "block 7 is damaged"),
            "{end:?}"
        );
        assert!(matches!(next, Ok(Message::Ready)), "{next:?}");
    }
}

#[test]
fn a_link_that_is_cut_is_told_as_that() {
    for length in LENGTHS {
        let (read, end, next) = taken(length, &[], all);
        read.expect_err("it is not whole");
        assert!(matches!(end, Err(Error::Cut(_))), "{end:?}");
        next.expect_err("nothing comes");
        // Nobody reads it, and the cut is told all the same.
        let (_, end, _) = taken(length, &[], |_| ());
        assert!(matches!(end, Err(Error::Cut(_))), "{end:?}");
    }
}

#[test]
fn a_message_out_of_turn_ends_it() {
    for length in LENGTHS {
        let (read, end, _) = taken(length, &[Message::Ready], all);
        read.expect_err("it is not whole");
        assert!(matches!(end, Err(Error::Protocol { .. })), "{end:?}");
    }
}

/// Whoever uses it may fail in any way; the thread that receives ends.
#[test]
fn a_user_that_panics_leaves_no_thread() {
    let user = spawn(|| {
        let fails = |from: &mut dyn Read| {
            from.read_exact(&mut [0; 100]).expect("it comes");
            panic!("on purpose");
        };
        taken::<()>(LONG_BYTES, &[Message::Whole], fails)
    });
    assert!(user.join().is_err(), "it panicked");
}
