use std::io;

/// Why a command could not be done at a farm on another host.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The other host can't be reached, or nothing serves there.
    #[error("can't reach the farm at {host}: {why}")]
    Unreachable {
        /// Where.
        host: String,
        /// Why, and the way out.
        why: String,
    },
    /// The other host is there, and does not show that it is who it has to be; or it does not take this one for
    /// somebody.
    #[error("can't reach the farm at {host}: {why}")]
    Untrusted {
        /// Where.
        host: String,
        /// Why, and the way out.
        why: String,
    },
    /// The connection broke.
    #[error("the connection to the farm broke: {0}")]
    Cut(#[source] io::Error),
    /// The other side is silent.
    #[error("the connection to the farm broke: nothing came for {0} s")]
    Silent(u64),
    /// A packet is not what was sent.
    #[error("the connection to the farm is faulty: {0}")]
    Damaged(&'static str),
    /// The other side does not speak this protocol, or does so wrongly.
    #[error("the other side does not speak the protocol of farms: {0}")]
    Protocol(String),
    /// The other side is too old for a command.
    #[error(
        "the server there speaks version {spoken} of the protocol of farms, and '{what}' needs version {needed}: put the \
         pseudotape of this host on that one, or run the command there; nothing was done"
    )]
    Older {
        /// What is not to be had.
        what: &'static str,
        /// What the server speaks.
        spoken: u32,
        /// The version that has it.
        needed: u32,
    },
    /// The farm that has the files, where another one gets them.
    #[error("the farm of the sources: {0}")]
    Source(#[source] Box<Error>),
    /// An archive is not whole.
    #[error(transparent)]
    Archive(#[from] pseudotape_farm::ExportError),
    /// The farm's host refused the command, or could not do it.
    #[error("{text}")]
    Refused {
        /// What kind of a refusal it is.
        refusal: Refusal,
        /// Why.
        text: String,
    },
}

/// What kind of a refusal it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Who asked is not on the access list.
    Access,
    /// The versions of the protocol differ.
    Version,
    /// The command could not be done.
    Command,
    /// What came was none of the protocol.
    Protocol,
}

impl Refusal {
    pub(crate) const ALL: [(Refusal, u8); 4] = [
        (Refusal::Access, 1),
        (Refusal::Version, 2),
        (Refusal::Command, 3),
        (Refusal::Protocol, 4),
    ];
}

impl Error {
    pub(crate) fn protocol(what: impl Into<String>) -> Self {
        Error::Protocol(what.into())
    }

    /// Whether nothing more comes from the other side.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        match self {
            Error::Cut(_) | Error::Silent(_) | Error::Damaged(_) => true,
            Error::Source(error) => error.is_cut(),
            _ => false,
        }
    }
}
