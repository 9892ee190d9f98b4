use std::io;
use std::path::PathBuf;

use nix::errno::Errno;
use pseudotape_drive::CartridgeError;
use pseudotape_human::SizeError;
use pseudotape_image::UnknownCachePolicy;

/// Why a text names no sink.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SpecificationError {
    /// Nothing is there.
    #[error("'{text}': {what} is empty")]
    Empty {
        /// All of the text.
        text: String,
        /// What should have been there.
        what: &'static str,
    },
    /// A word before a colon that is no kind of sink.
    #[error(
        "'{text}': no kind of sink '{kind}'{meant}; there are image, device, rmt and null (a path with a colon: put ./ before it, a remote tape: rmt: before it)"
    )]
    UnknownKind {
        /// All of the text.
        text: String,
        /// The word.
        kind: String,
        /// A question, where a kind has nearly this name.
        meant: String,
    },
    /// An option that this kind of sink has not.
    #[error(
        "'{text}': no option '{option}'{meant}; there are {known} (a comma in a path: put \\ before it)"
    )]
    UnknownOption {
        /// All of the text.
        text: String,
        /// The option.
        option: String,
        /// A question, where an option has nearly this name.
        meant: String,
        /// Those that there are.
        known: String,
    },
    /// A value that is no size.
    #[error("'{text}': {option}: {source}")]
    Size {
        /// All of the text.
        text: String,
        /// The option.
        option: &'static str,
        /// What is wrong with it.
        source: SizeError,
    },
    /// A value that is no cache policy.
    #[error("'{text}': {source}")]
    Cache {
        /// All of the text.
        text: String,
        /// What is wrong with it.
        source: UnknownCachePolicy,
    },
    /// Sizes that don't go together.
    #[error("'{text}': {what}")]
    Limits {
        /// All of the text.
        text: String,
        /// What is wrong.
        what: &'static str,
    },
    /// A remote tape without a host.
    #[error("'{text}': a remote tape is written rmt:[USER@]HOST:PATH")]
    NoHost {
        /// All of the text.
        text: String,
    },
    /// Filters that can't be joined.
    #[error(
        "'{text}': at most one compression, and behind it at most one encryption: zstd+aes=KEYFILE+…"
    )]
    Filters {
        /// All of the text.
        text: String,
    },
}

/// Why a sink can't be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is nothing at the path.
    #[error("{path}: no such image or tape node (image:{path},create makes an image)")]
    Missing {
        /// The path.
        path: PathBuf,
    },
    /// What is at the path can't be asked what it is.
    #[error("{path}: {source}")]
    Unreachable {
        /// The path.
        path: PathBuf,
        /// The host's reason.
        source: io::Error,
    },
    /// Neither a file nor a character device.
    #[error("{path} is {found}: a sink is an image file or a tape node")]
    NoSink {
        /// The path.
        path: PathBuf,
        /// What is there.
        found: &'static str,
    },
    /// An image can't be opened or made.
    #[error(transparent)]
    Image(#[from] pseudotape_image::Error),
    /// An image can't be opened.
    #[error("{path}: {source}")]
    Cartridge {
        /// The image.
        path: PathBuf,
        /// Why.
        source: CartridgeError,
    },
    /// An image was to be made, and couldn't.
    #[error("can't make the image {path}: {source}")]
    Making {
        /// The image.
        path: PathBuf,
        /// Why.
        source: pseudotape_image::Error,
    },
    /// A tape node can't be opened.
    #[error(transparent)]
    Device(#[from] pseudotape_device::Error),
    /// There is no key to encrypt with.
    #[error(transparent)]
    Key(#[from] pseudotape_filter::KeyError),
    /// A text that names no remote tape.
    #[error("{0}")]
    Remote(String),
    /// A remote tape can't be opened.
    #[error(transparent)]
    Rmt(#[from] pseudotape_rmt::Error),
}

impl Error {
    /// Whether only the writing was refused: perhaps what was asked for can be opened for reading, as a protected
    /// volume.
    pub(crate) fn leaves_reading(&self) -> bool {
        match self {
            Error::Image(error) => error.leaves_reading(),
            Error::Cartridge { source, .. } => source.leaves_reading(),
            Error::Device(error) => {
                matches!(error, pseudotape_device::Error::NoPermission { .. })
            }
            Error::Rmt(pseudotape_rmt::Error::Refused { errno, .. }) => {
                matches!(errno, Errno::EROFS | Errno::EACCES | Errno::EPERM)
            }
            Error::Missing { .. }
            | Error::Unreachable { .. }
            | Error::NoSink { .. }
            | Error::Making { .. }
            | Error::Key(_)
            | Error::Remote(_)
            | Error::Rmt(_) => false,
        }
    }
}
