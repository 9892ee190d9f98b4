//! Requests as a server hears them.

use std::io::{self, Read};

use crate::input::{Input, Line};

/// Longest name of a tape.
pub(crate) const MAX_NAME_BYTES: usize = 4096;
/// Longest text of flags, numbers and the like.
pub(crate) const MAX_ARGUMENT_BYTES: usize = 256;

/// One request; numbers are still text where a server answers nonsense with an error and goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    /// `O name \n flags \n`.
    Open { name: Vec<u8>, flags: String },
    /// `C anything \n`.
    Close,
    /// `L number \n number \n`, in whichever order: on a tape it does nothing.
    Seek,
    /// `R count \n`.
    Read { count: String },
    /// `W count \n`, and so many bytes that are not read yet.
    Write { count: String },
    /// `I operation \n count \n`.
    Operate { operation: String, count: String },
    /// `i operation \n count \n`.
    OperateExtended { operation: String, count: String },
    /// `S`.
    Status,
    /// `s` and one letter.
    Field(u8),
    /// `v anything \n`: star asks so.
    Version,
    /// `V anything \n`: dump asks so.
    DumpVersion,
    /// What nobody knows: where the next request begins is not known either.
    Garbage(u8),
    /// An argument longer than anything sensible.
    TooLong(char),
}

/// Reads the next request; `None` where the stream ends, in the middle of a request too.
///
/// `S` has no newline in 4.2BSD's protocol and one in GNU's, so newlines before a request are dropped.
pub(crate) fn next(input: &mut Input<impl Read>) -> io::Result<Option<Request>> {
    let letter = loop {
        match input.byte()? {
            None => return Ok(None),
            Some(b'\n' | b'\r') => {}
            Some(letter) => break letter,
        }
    };
    let mut line = |limit| -> io::Result<Result<Vec<u8>, Option<Request>>> {
        Ok(match input.line(limit)? {
            Line::Whole(line) => Ok(line),
            Line::TooLong(_) => Err(Some(Request::TooLong(letter.into()))),
            Line::Ended => Err(None),
        })
    };
    // An argument, or what the whole request comes to without it.
    macro_rules! argument {
        ($limit:expr) => {
            match line($limit)? {
                Ok(line) => line,
                Err(request) => return Ok(request),
            }
        };
        () => {
            String::from_utf8_lossy(&argument!(MAX_ARGUMENT_BYTES)).into_owned()
        };
    }
    let request = match letter {
        b'O' => {
            let name = argument!(MAX_NAME_BYTES);
            let flags = argument!();
            Request::Open { name, flags }
        }
        b'C' => {
            argument!(MAX_NAME_BYTES);
            Request::Close
        }
        b'L' => {
            argument!();
            argument!();
            Request::Seek
        }
        b'R' => Request::Read { count: argument!() },
        b'W' => Request::Write { count: argument!() },
        b'I' | b'i' => {
            let operation = argument!();
            let count = argument!();
            if letter == b'I' {
                Request::Operate { operation, count }
            } else {
                Request::OperateExtended { operation, count }
            }
        }
        b'S' => Request::Status,
        b's' => match input.byte()? {
            Some(field) => Request::Field(field),
            None => return Ok(None),
        },
        b'v' => {
            argument!();
            Request::Version
        }
        b'V' => {
            argument!();
            Request::DumpVersion
        }
        other => Request::Garbage(other),
    };
    Ok(Some(request))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(bytes: &[u8]) -> Vec<Request> {
        let mut input = Input::new(bytes);
        std::iter::from_fn(|| next(&mut input).expect("memory does not fail")).collect()
    }

    #[test]
    fn each_request_is_read_to_its_end() {
        use Request::*;
        let text = |text: &str| text.to_owned();
        assert_eq!(
            all(b"O/dev/nst0\n2 O_RDWR\nS\nSsTR10240\nI6\n1\ni4\n1\nL0\n1\nv\nV1\nCnst0\nW3\n"),
            [
                Open {
                    name: b"/dev/nst0".to_vec(),
                    flags: text("2 O_RDWR")
                },
                Status,
                Status,
                Field(b'T'),
                Read {
                    count: text("10240")
                },
                Operate {
                    operation: text("6"),
                    count: text("1")
                },
                OperateExtended {
                    operation: text("4"),
                    count: text("1")
                },
                Seek,
                Version,
                DumpVersion,
                Close,
                Write { count: text("3") },
            ]
        );
    }

    #[test]
    fn what_is_cut_off_is_no_request() {
        for bytes in ["O/dev/nst0\n2", "O", "R12", "I6\n1", "s", "W", "L1\n"] {
            assert_eq!(all(bytes.as_bytes()), [], "{bytes}");
        }
    }

    #[test]
    fn too_long_arguments_and_garbage_are_told() {
        let name = vec![b'n'; MAX_NAME_BYTES];
        let open = |extra: &[u8]| all(&[b"O".as_slice(), &name, extra, b"\n0\n"].concat());
        assert!(matches!(open(b"")[..], [Request::Open { .. }]));
        assert_eq!(open(b"n")[0], Request::TooLong('O'));
        let digits = "1".repeat(MAX_ARGUMENT_BYTES + 1);
        assert_eq!(
            all(format!("R{digits}\n").as_bytes()),
            [Request::TooLong('R')]
        );
        assert_eq!(all(b"Z")[0], Request::Garbage(b'Z'));
    }
}
