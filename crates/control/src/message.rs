//! One message as one line of JSON, and the number of the protocol that it carries.

use std::io::{self, BufRead, Read, Write};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::Error;

/// Longest request that a daemon accepts.
pub const MAX_LINE_BYTES: u64 = 1 << 20;

/// Longest answer that a client accepts: the state of a library with as many elements as there are addresses.
pub const MAX_ANSWER_BYTES: u64 = 16 << 20;

/// The protocol that this version speaks.
pub const PROTOCOL: u32 = 1;

/// The field of every message that holds the number of its protocol.
const FIELD: &str = "protocol";

#[derive(Serialize)]
struct Outgoing<'a, M> {
    protocol: u32,
    #[serde(flatten)]
    message: &'a M,
}

/// Writes one message as one line. The message must become an object of JSON.
pub fn send<M: Serialize>(to: &mut impl Write, message: &M) -> Result<(), Error> {
    let mut line = serde_json::to_vec(&Outgoing {
        protocol: PROTOCOL,
        message,
    })?;
    line.push(b'\n');
    Ok(to.write_all(&line)?)
}

/// Reads one message, of whatever protocol, as far as it can be understood; `None` at the end of the stream.
pub fn receive<M: for<'de> Deserialize<'de>>(from: &mut impl BufRead) -> Result<Option<M>, Error> {
    match receive_up_to(MAX_ANSWER_BYTES, from)? {
        Some(incoming) => incoming.understand().map(Some),
        None => Ok(None),
    }
}

/// A message that is not yet understood.
pub(crate) struct Incoming {
    /// The protocol that it names.
    pub(crate) protocol: u32,
    fields: Map<String, Value>,
}

impl Incoming {
    /// What it says.
    pub(crate) fn understand<M: for<'de> Deserialize<'de>>(self) -> Result<M, Error> {
        let theirs = self.protocol;
        serde_json::from_value(Value::Object(self.fields)).map_err(|source| {
            if theirs == PROTOCOL {
                Error::Malformed(source)
            } else {
                Error::Protocol { theirs, source }
            }
        })
    }
}

/// Reads one request; `None` at the end of the stream.
pub(crate) fn receive_fields(from: &mut impl BufRead) -> Result<Option<Incoming>, Error> {
    receive_up_to(MAX_LINE_BYTES, from)
}

fn receive_up_to(most_bytes: u64, from: &mut impl BufRead) -> Result<Option<Incoming>, Error> {
    let Some(line) = receive_line(most_bytes, from)? else {
        return Ok(None);
    };
    let mut fields: Map<String, Value> = serde_json::from_slice(&line)?;
    let protocol = match fields.remove(FIELD) {
        Some(number) => serde_json::from_value(number)?,
        // Before there was the field there was one protocol.
        None => 1,
    };
    Ok(Some(Incoming { protocol, fields }))
}

fn receive_line(most_bytes: u64, from: &mut impl BufRead) -> Result<Option<Vec<u8>>, Error> {
    let mut line = Vec::new();
    from.take(most_bytes).read_until(b'\n', &mut line)?;
    match line.last() {
        None => Ok(None),
        Some(b'\n') => Ok(Some(line)),
        Some(_) if line.len() as u64 == most_bytes => {
            let message = format!("a line is longer than {most_bytes} bytes");
            Err(io::Error::new(io::ErrorKind::InvalidData, message).into())
        }
        Some(_) => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "ended in mid line").into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{OptionsStatus, Request, Response};

    fn parse(line: &str) -> Result<Option<Request>, Error> {
        receive(&mut line.as_bytes())
    }

    #[test]
    fn a_request_is_one_line_of_json() {
        let mut line = Vec::new();
        send(
            &mut line,
            &Request::Unload {
                drive: 1,
                force: false,
            },
        )
        .unwrap();
        assert_eq!(
            line,
            b"{\"protocol\":1,\"do\":\"unload\",\"drive\":1,\"force\":false}\n"
        );
        assert_eq!(
            receive(&mut line.as_slice()).unwrap(),
            Some(Request::Unload {
                drive: 1,
                force: false
            })
        );
        assert_eq!(
            parse("{\"do\":\"status\"}\n").unwrap(),
            Some(Request::Status)
        );
        assert_eq!(parse("").unwrap(), None);
    }

    #[test]
    fn malformed_requests_are_refused_by_name() {
        let unknown = parse("{\"do\":\"fly\"}\n").unwrap_err().to_string();
        assert!(unknown.contains("fly"), "{unknown}");
        let field = parse("{\"do\":\"reset\",\"drive\":0,\"wings\":2}\n")
            .unwrap_err()
            .to_string();
        assert!(field.contains("wings"), "{field}");
        assert!(matches!(parse("{\"do\":"), Err(Error::Broken(_))));
    }

    #[test]
    fn an_endless_line_is_refused_at_the_limit() {
        let at_limit = |most| vec![b' '; usize::try_from(most).unwrap()];
        let answer = receive::<Request>(&mut at_limit(MAX_ANSWER_BYTES).as_slice());
        let request = receive_fields(&mut at_limit(MAX_LINE_BYTES).as_slice());
        for error in [answer.err(), request.err()] {
            let error = error.expect("no end of a line").to_string();
            assert!(error.contains("longer than"), "{error}");
        }
    }

    #[test]
    fn what_a_request_leaves_out_has_its_default() {
        let request = parse("{\"do\":\"options\",\"drive\":3}\n").unwrap();
        let expected = Request::Options {
            drive: 3,
            mode: 0,
            set: Vec::new(),
        };
        assert_eq!(request, Some(expected));
        // What has no default is missed by name.
        let error = parse("{\"do\":\"write-protect\",\"drive\":3}\n").unwrap_err();
        assert!(error.to_string().contains("`on`"), "{error}");
    }

    #[test]
    fn an_answer_of_a_newer_daemon_is_read_as_far_as_it_is_known() {
        let line = "{\"protocol\":2,\"answer\":\"options\",\"drive\":3,\"wings\":[2],\"options\":\
                    [{\"name\":\"a\",\"value\":\"on\",\"unit\":\"m\"}]}\n";
        let Some(Response::Options(OptionsStatus { drive, options, .. })) =
            receive(&mut line.as_bytes()).unwrap()
        else {
            panic!("not the options");
        };
        assert_eq!((drive, options[0].value.as_str()), (3, "on"));
    }

    #[test]
    fn an_answer_that_is_not_known_names_both_protocols() {
        let line = "{\"protocol\":7,\"answer\":\"song\"}\n";
        let error = receive::<Response>(&mut line.as_bytes()).unwrap_err();
        assert!(matches!(error, Error::Protocol { theirs: 7, .. }));
        let error = error.to_string();
        for part in ["song", "control protocol 7", "this side speaks 1"] {
            assert!(error.contains(part), "{part:?} is not in {error:?}");
        }
    }

    #[test]
    fn a_protocol_that_is_no_number_is_malformed() {
        for protocol in ["\"1\"", "-1", "1.5", "null", "4294967296"] {
            let line = format!("{{\"protocol\":{protocol},\"do\":\"status\"}}\n");
            let error = parse(&line).unwrap_err();
            assert!(matches!(error, Error::Malformed(_)), "{line}: {error}");
        }
    }
}
