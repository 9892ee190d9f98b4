//! PT-05: a reply with a changed byte is an error, or still contains a possible result.

use std::io::Write;
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use proptest::prelude::*;
use pseudotape_tape::{ObjectNumber, Position, Transfer};

use crate::check::Asked;
use crate::header::{Checksums, Head, Header, Payload};
use crate::limits::{HEADER_BYTES, MAX_BODY_BYTES, MAX_PAYLOAD_BYTES};
use crate::line::{Answer, Line};
use crate::link::Link;
use crate::lost::Lost;
use crate::nonsense::Nonsense;
use crate::reply::{Outcome, Reply};
use crate::request::Request;
use crate::socket::SocketLink;
use crate::{fuzz_reply, samples};

const LONG: Duration = Duration::from_secs(60);
/// Position before the request.
const BEFORE: u64 = 5;

/// Sends a request to a slave that replies with these bytes and no others. Also returns the bytes that were
/// read.
fn ask(request: &Request, data: &[u8], said: &[u8]) -> (Result<Answer, Lost>, Vec<u8>) {
    let (master, slave) = UnixStream::pair().unwrap();
    (&slave).write_all(said).unwrap();
    slave.shutdown(Shutdown::Write).unwrap();
    let mut link = Link::Socket(Box::new(SocketLink::new(master, 4096, LONG).unwrap()));
    link.agree(true, Checksums::Streamed).unwrap();
    let mut line = Line::default();
    line.link = Some(link);
    let asked = Asked {
        request,
        data_length: data.len(),
        before: Some(Position {
            object: ObjectNumber(BEFORE),
            ..Position::default()
        }),
    };
    let mut into = vec![0; 100];
    let room = if matches!(request, Request::Read { .. }) {
        100
    } else {
        0
    };
    let answer = line.ask(asked, data, &mut into[..room], LONG).unwrap();
    (answer, into)
}

fn good_reply(payload: &[u8]) -> Vec<u8> {
    let reply = Reply::Done(Outcome {
        count: 1,
        block_length: u32::try_from(payload.len()).unwrap(),
        stop: None,
        position: Some(Position {
            object: ObjectNumber(BEFORE + 1),
            ..Position::default()
        }),
        recovered: false,
    });
    let head = Head::new(reply.kind(), 1, Payload::Streamed(payload), |out| {
        reply.encode(out)
    });
    [head.bytes(), payload].concat()
}

const WRITE: Request = Request::Write(Transfer::Variable);
const READ: Request = Request::Read {
    transfer: Transfer::Variable,
    length: 100,
};

#[test]
fn the_good_replies_are_good() {
    let (answer, _) = ask(&WRITE, b"x", &good_reply(b""));
    assert!(matches!(answer, Ok(Answer::Done(outcome, 0)) if outcome.count == 1));
    let (answer, read) = ask(&READ, b"", &good_reply(b"a block"));
    assert!(matches!(answer, Ok(Answer::Done(_, 7))));
    assert_eq!(&read[..7], b"a block");
}

proptest! {
    #[test]
    fn a_changed_byte_anywhere_is_found(at in any::<prop::sample::Index>(), by in 1..=255_u8, reads: bool) {
        let (request, mut said) = if reads { (READ, good_reply(b"a block")) } else { (WRITE, good_reply(b"")) };
        let at = at.index(said.len());
        said[at] ^= by;
        prop_assert!(ask(&request, b"x", &said).0.is_err());
    }

    #[test]
    fn a_reply_that_is_cut_or_followed_by_more_is_found(at in any::<prop::sample::Index>(), more in prop::collection::vec(any::<u8>(), 1..99)) {
        let said = good_reply(b"");
        prop_assert!(ask(&WRITE, b"x", &said[..at.index(said.len())]).0.is_err());
        prop_assert!(ask(&WRITE, b"x", &[said, more].concat()).0.is_err());
    }

    #[test]
    fn a_wrong_reply_whose_checksums_are_right_says_nothing_wrong(changes in prop::collection::vec((HEADER_BYTES..HEADER_BYTES + 32, any::<u8>()), 1..4)) {
        let mut said = good_reply(b"");
        for (at, byte) in changes {
            said[at] = byte;
        }
        let body = crc32fast::hash(&said[HEADER_BYTES..]);
        said[28..32].copy_from_slice(&body.to_le_bytes());
        let header = crc32fast::hash(&said[..36]);
        said[36..40].copy_from_slice(&header.to_le_bytes());
        if let (Ok(Answer::Done(outcome, bytes)), _) = ask(&WRITE, b"x", &said) {
            let object = outcome.position.map(|at| at.object.0);
            prop_assert_eq!((outcome.count, object, bytes), (1, Some(BEFORE + 1), 0));
        }
    }

    #[test]
    fn any_bytes_end_in_something(selector: u8, piece: u8, at in any::<prop::sample::Index>(), noise in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut said = good_reply(b"");
        let at = at.index(said.len());
        said.splice(at.., noise);
        fuzz_reply(&[&[selector, piece][..], &said].concat());
    }
}

/// A message with any lengths and correct checksums.
fn header_of(body: u32, payload: u32, flags: u32) -> [u8; HEADER_BYTES] {
    let head = Head::new(0x8002, 1, Payload::None, |_| 0);
    let mut bytes: [u8; HEADER_BYTES] = head.bytes().try_into().unwrap();
    bytes[16..20].copy_from_slice(&flags.to_le_bytes());
    bytes[20..24].copy_from_slice(&body.to_le_bytes());
    bytes[24..28].copy_from_slice(&payload.to_le_bytes());
    let crc = crc32fast::hash(&bytes[..36]);
    bytes[36..].copy_from_slice(&crc.to_le_bytes());
    bytes
}

#[test]
fn lengths_are_taken_up_to_their_limits_and_not_past_them() {
    let most = u32::try_from(MAX_BODY_BYTES).unwrap();
    assert_eq!(
        Header::parse(&header_of(most, 0, 0)).unwrap().body_length,
        MAX_BODY_BYTES
    );
    let refused = Header::parse(&header_of(most + 1, 0, 0));
    assert_eq!(refused, Err(Nonsense::BodyTooLong { length: most + 1 }));
    let limit = MAX_PAYLOAD_BYTES as usize;
    let header = Header::parse(&header_of(0, MAX_PAYLOAD_BYTES, 2)).unwrap();
    assert_eq!(header.payload_within(limit), Ok(limit));
    let header = Header::parse(&header_of(0, MAX_PAYLOAD_BYTES + 1, 2)).unwrap();
    assert!(header.payload_within(limit).is_err());
    // The flags must match the payload, or its absence.
    for (payload, flags, fits) in [
        (0, 0, true),
        (0, 1, false),
        (0, 2, false),
        (9, 0, false),
        (9, 1, true),
        (9, 2, true),
        (9, 3, true),
        (9, 4, false),
    ] {
        let parsed = Header::parse(&header_of(0, payload, flags));
        assert_eq!(parsed.is_ok(), fits, "{payload} bytes, flags {flags}");
    }
}

#[test]
fn bodies_of_any_other_length_are_refused() {
    for (request, _) in samples::requests() {
        let mut body = [0; MAX_BODY_BYTES];
        let length = request.encode(&mut body);
        for other in (0..MAX_BODY_BYTES).filter(|other| *other != length) {
            assert!(Request::decode(request.kind(), &body[..other]).is_err());
        }
    }
    for (reply, _) in samples::replies() {
        let mut body = [0; MAX_BODY_BYTES];
        let length = reply.encode(&mut body);
        for other in (0..MAX_BODY_BYTES).filter(|other| *other != length) {
            assert!(Reply::decode(reply.kind(), &body[..other]).is_err());
        }
    }
}
