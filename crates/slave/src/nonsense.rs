use crate::limits::{MAX_BODY_BYTES, VERSION};

/// What is wrong with a message. A slave that sends one is dropped.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Nonsense {
    /// The message does not begin as one.
    #[error("the message begins with {found:#010x}, which is not a message of this protocol")]
    Magic {
        /// What is there.
        found: u32,
    },
    /// Another version.
    #[error("the message is of version {found}, and this side speaks {VERSION}")]
    Version {
        /// What is there.
        found: u16,
    },
    /// A checksum is not that of the bytes.
    #[error("the checksum of the {part} is {found:#010x}, and should be {expected:#010x}")]
    Checksum {
        /// Header, body or payload.
        part: &'static str,
        /// As computed.
        expected: u32,
        /// As received.
        found: u32,
    },
    /// Bits of the header that have no meaning.
    #[error("flags {found:#x} hold unknown bits, or bits that do not go together here")]
    Flags {
        /// What is there.
        found: u32,
    },
    /// The body is longer than any.
    #[error("a body of {length} bytes exceeds {MAX_BODY_BYTES}")]
    BodyTooLong {
        /// As received.
        length: u32,
    },
    /// More payload than was asked for, or than was agreed on.
    #[error("a payload of {length} bytes exceeds the {max} that are expected")]
    PayloadTooLong {
        /// As received.
        length: u32,
        /// What there is room for.
        max: usize,
    },
    /// The body is not that of its kind.
    #[error("a body of {length} bytes does not fit kind {kind:#06x}")]
    Body {
        /// Kind of the message.
        kind: u16,
        /// As received.
        length: usize,
    },
    /// A kind that is unknown or goes the other way.
    #[error("kind {kind:#06x} is not known here")]
    Kind {
        /// As received.
        kind: u16,
    },
    /// A kind that does not answer this request.
    #[error("kind {kind:#06x} does not answer '{request}'")]
    Answer {
        /// As received.
        kind: u16,
        /// What was asked.
        request: &'static str,
    },
    /// The reply belongs to another request.
    #[error("the reply has id {found}, and the request has {expected}")]
    Id {
        /// Of the request.
        expected: u64,
        /// As received.
        found: u64,
    },
    /// Bytes came although nothing was asked.
    #[error("{length} bytes came that nothing had asked for")]
    Unasked {
        /// How many.
        length: usize,
    },
    /// A number that stands for nothing.
    #[error("{what} {found} is not known")]
    Code {
        /// What the number should stand for.
        what: &'static str,
        /// As received.
        found: u8,
    },
    /// A value that this request can't have come to.
    #[error("'{request}' came to {what} {found}, which can't be")]
    Value {
        /// What was asked.
        request: &'static str,
        /// Which value.
        what: &'static str,
        /// As received.
        found: u64,
    },
    /// A name in the identity is not UTF-8 text.
    #[error("the {what} of the drive is not text")]
    Text {
        /// Which name.
        what: &'static str,
    },
    /// `working` over and over, without a pause.
    #[error("'working' {count} times within {millis} ms")]
    TooBusy {
        /// How often.
        count: u32,
        /// In which time.
        millis: u128,
    },
}
