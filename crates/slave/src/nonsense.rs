use crate::limits::{MAX_BODY_BYTES, VERSION};

/// A violation of the protocol: what is wrong with a message. A slave that sends such a message is dropped.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Nonsense {
    /// The message does not begin with the magic number.
    #[error("the message begins with {found:#010x}, which is not a message of this protocol")]
    Magic {
        /// The number found.
        found: u32,
    },
    /// The header has another version than the connection.
    #[error("the message is of version {found}, and this side speaks {VERSION}")]
    Version {
        /// The value found.
        found: u16,
    },
    /// A checksum does not match the bytes.
    #[error("the checksum of the {part} is {found:#010x}, and should be {expected:#010x}")]
    Checksum {
        /// Header, body or payload.
        part: &'static str,
        /// The checksum computed from the bytes.
        expected: u32,
        /// The checksum received.
        found: u32,
    },
    /// The flags of the header have bits, or combinations, that are not allowed here.
    #[error("flags {found:#x} hold unknown bits, or bits that do not go together here")]
    Flags {
        /// The value found.
        found: u32,
    },
    /// The body is longer than the longest allowed.
    #[error("a body of {length} bytes exceeds {MAX_BODY_BYTES}")]
    BodyTooLong {
        /// The value received.
        length: u32,
    },
    /// The payload is longer than was asked for, or than the largest payload agreed on.
    #[error("a payload of {length} bytes exceeds the {max} that are expected")]
    PayloadTooLong {
        /// The value received.
        length: u32,
        /// The longest payload allowed here.
        max: usize,
    },
    /// The body does not have the length that its kind of message has.
    #[error("a body of {length} bytes does not fit kind {kind:#06x}")]
    Body {
        /// Kind of the message.
        kind: u16,
        /// The value received.
        length: usize,
    },
    /// The kind of message is unknown, or only the other side may send it.
    #[error("kind {kind:#06x} is not known here")]
    Kind {
        /// The value received.
        kind: u16,
    },
    /// The kind of reply does not answer this request.
    #[error("kind {kind:#06x} does not answer '{request}'")]
    Answer {
        /// The value received.
        kind: u16,
        /// Name of the request.
        request: &'static str,
    },
    /// The reply carries the id of another request.
    #[error("the reply has id {found}, and the request has {expected}")]
    Id {
        /// The id of the request.
        expected: u64,
        /// The value received.
        found: u64,
    },
    /// The slave sent bytes while no request was outstanding.
    #[error("{length} bytes came that nothing had asked for")]
    Unasked {
        /// Number of bytes.
        length: usize,
    },
    /// A number stands for no value of its enum.
    #[error("{what} {found} is not known")]
    Code {
        /// Name of the enum.
        what: &'static str,
        /// The value received.
        found: u8,
    },
    /// The reply contains a value that is impossible for this request.
    #[error("'{request}' came to {what} {found}, which can't be")]
    Value {
        /// Name of the request.
        request: &'static str,
        /// Name of the value.
        what: &'static str,
        /// The value received.
        found: u64,
    },
    /// A name in the identity is not UTF-8 text, or contains control characters.
    #[error("the {what} of the drive is not text")]
    Text {
        /// The field of the identity.
        what: &'static str,
    },
    /// The slave sends `working` again and again without a pause.
    #[error("'working' {count} times within {millis} ms")]
    TooBusy {
        /// Number of `working` replies.
        count: u32,
        /// The time in which they came.
        millis: u128,
    },
}
