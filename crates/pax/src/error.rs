use std::io;

/// Why an archive could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The bytes can't be had.
    #[error("can't read the archive: {0}")]
    Read(#[from] io::Error),
    /// They are no archive.
    #[error("byte {offset} of the archive: {what}")]
    Malformed {
        /// Where.
        offset: u64,
        /// What is wrong.
        what: &'static str,
    },
    /// The archive ends before it should.
    #[error("the archive is cut off at byte {offset}, within {within}")]
    CutOff {
        /// Where.
        offset: u64,
        /// What is not whole.
        within: &'static str,
    },
    /// Headers that are longer than any that make sense.
    #[error(
        "byte {offset} of the archive: {length} bytes of headers for one member, at most {max} are read"
    )]
    LongHeaders {
        /// Where.
        offset: u64,
        /// Their length.
        length: u64,
        /// The longest.
        max: u64,
    },
}
