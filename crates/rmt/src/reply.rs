//! Replies as a client hears them.

use std::io::{self, Read};

use crate::input::{Input, Line};

/// `A` or `E` with a number.
const MAX_HEAD_BYTES: usize = 64;
/// The text of an error.
const MAX_TEXT_BYTES: usize = 1024;

/// One reply; what follows it (a record, a status) is not read yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    /// `A number \n`.
    Done(i64),
    /// `E number \n text \n`; the tape stays open.
    Failed { number: i32, text: String },
    /// `F number \n text \n`: as `E`, and the server has closed the tape.
    Lost { number: i32, text: String },
}

/// Why there was no reply.
#[derive(Debug)]
pub(crate) enum NoReply {
    /// The connection broke or ended, or was silent for too long.
    Cut(io::Error),
    /// What came is no reply: its beginning, as text.
    Nonsense(String),
}

impl From<io::Error> for NoReply {
    fn from(error: io::Error) -> Self {
        NoReply::Cut(error)
    }
}

/// Reads one reply.
pub(crate) fn next(input: &mut Input<impl Read>) -> Result<Reply, NoReply> {
    let head = line(input, MAX_HEAD_BYTES)?;
    let nonsense = || NoReply::Nonsense(shown(&head));
    let (kind, number) = head.split_first().ok_or_else(nonsense)?;
    let number = std::str::from_utf8(number).map_err(|_| nonsense())?.trim();
    match kind {
        b'A' => number.parse().map(Reply::Done).map_err(|_| nonsense()),
        b'E' | b'F' => {
            let number = number.parse().map_err(|_| nonsense())?;
            let text = String::from_utf8_lossy(&line(input, MAX_TEXT_BYTES)?)
                .trim()
                .to_owned();
            Ok(if *kind == b'E' {
                Reply::Failed { number, text }
            } else {
                Reply::Lost { number, text }
            })
        }
        _ => Err(nonsense()),
    }
}

fn line(input: &mut Input<impl Read>, limit: usize) -> Result<Vec<u8>, NoReply> {
    match input.line(limit)? {
        Line::Whole(line) => Ok(line),
        Line::TooLong(beginning) => Err(NoReply::Nonsense(shown(&beginning))),
        Line::Ended => Err(NoReply::Cut(io::ErrorKind::UnexpectedEof.into())),
    }
}

/// Bytes as a message may show them.
pub(crate) fn shown(bytes: &[u8]) -> String {
    let some = bytes.get(..MAX_HEAD_BYTES.min(bytes.len())).unwrap_or(&[]);
    format!("\"{}\"", some.escape_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(bytes: &[u8]) -> Result<Reply, NoReply> {
        next(&mut Input::new(bytes))
    }

    #[test]
    fn successes_and_failures_are_read_with_their_numbers() {
        for (bytes, expected) in [
            ("A0\n", Reply::Done(0)),
            ("A10240\nrest", Reply::Done(10_240)),
            // rmt-dump answers the count of an operation, whatever that was
            ("A-1\n", Reply::Done(-1)),
            ("A5\r\n", Reply::Done(5)),
            (
                "E5\nInput/output error\n",
                Reply::Failed {
                    number: 5,
                    text: "Input/output error".into(),
                },
            ),
            (
                "F28\n\n",
                Reply::Lost {
                    number: 28,
                    text: String::new(),
                },
            ),
        ] {
            assert_eq!(one(bytes.as_bytes()).unwrap(), expected, "{bytes:?}");
        }
    }

    #[test]
    fn nonsense_is_told_with_what_came() {
        for bytes in [
            "\n",
            "Last login: Mon\n",
            "Ax\n",
            "A\n",
            "E\nx\n",
            "A99999999999999999999\n",
        ] {
            let Err(NoReply::Nonsense(got)) = one(bytes.as_bytes()) else {
                panic!("{bytes:?} was taken for a reply");
            };
            assert_eq!(got, format!("\"{}\"", bytes.split('\n').next().unwrap()));
        }
        let endless = vec![b'A'; 1_000_000];
        assert!(matches!(one(&endless), Err(NoReply::Nonsense(_))));
        let endless_text = [b"E5\n".as_slice(), &[0xff; 1_000_000]].concat();
        assert!(matches!(one(&endless_text), Err(NoReply::Nonsense(_))));
        assert!(
            matches!(one(b"\x00\xff\n"), Err(NoReply::Nonsense(got)) if got == "\"\\x00\\xff\"")
        );
    }

    #[test]
    fn a_reply_that_ends_early_is_a_cut_connection() {
        for bytes in ["", "A", "A10", "E5\n", "E5\nInput"] {
            assert!(
                matches!(one(bytes.as_bytes()), Err(NoReply::Cut(_))),
                "{bytes:?}"
            );
        }
    }
}
