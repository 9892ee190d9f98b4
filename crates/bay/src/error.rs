use std::fmt::Display;

use pseudotape_drive::CartridgeError;
use pseudotape_image::CachePolicy;
use pseudotape_sink::SpecificationError;
use pseudotape_tape::VolumeError;

/// Why a volume is not loaded, unloaded or protected. Texts name what is wrong and the way out, not the drive.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Another volume is in.
    #[error("it already holds {holds}: unload it first")]
    Holds {
        /// The volume.
        holds: String,
    },
    /// No volume is in.
    #[error("it holds no cartridge")]
    Empty,
    /// The volume comes and goes by another hand.
    #[error("its volume can't be changed here")]
    Fixed,
    /// A program has locked the door.
    #[error(
        "it is locked by a program ('mt lock'): 'mt unlock' unlocks it, --force takes the cartridge out all the same"
    )]
    Locked,
    /// Nobody finds the volume once it is closed.
    #[error("{}: it stays loaded until then", named(name, source))]
    Unfindable {
        /// The volume.
        name: String,
        /// Why, and where what it holds can be copied.
        source: VolumeError,
    },
    /// A text that names no volume.
    #[error(transparent)]
    Specification(#[from] SpecificationError),
    /// A relative path in a directory that is gone.
    #[error("can't make '{name}' an absolute path: {source}")]
    Path {
        /// The text.
        name: String,
        /// Why.
        source: std::io::Error,
    },
    /// An image can't be loaded.
    #[error("can't load {}", named(name, source))]
    Image {
        /// Its path.
        name: String,
        /// Why.
        source: CartridgeError,
    },
    /// What the specification names can't be opened.
    #[error("can't load {}", named(name, source))]
    Sink {
        /// The specification.
        name: String,
        /// Why.
        source: pseudotape_sink::Error,
    },
    /// A fault on command.
    #[error(
        "can't load {name}: injected fault {fault}, a load failure ('pseudotape inject' lists and removes it)"
    )]
    Fault {
        /// The volume.
        name: String,
        /// The number of the fault.
        fault: u32,
    },
    /// The drive was configured with limits, which a volume that brings its own drive would not keep.
    #[error(
        "can't load {name}: this drive's own capacity and early warning are for plain images; \
         say them with the volume (image:PATH,capacity=SIZE), or load it into a drive without them"
    )]
    Limits {
        /// The volume.
        name: String,
    },
    /// The drive was configured with a cache policy, which a volume that brings its own drive would not follow.
    #[error(
        "can't load {name}: this drive's own cache={cache} is for plain images; say it with the volume \
         (image:PATH,cache={cache}), or load it into a drive without it"
    )]
    Cache {
        /// The volume.
        name: String,
        /// The policy.
        cache: CachePolicy,
    },
    /// The drive was configured as a kind of drive that a volume which brings its own drive would not be.
    #[error(
        "can't load {name}: it brings a drive of its own, and this one was configured as {personality}, perhaps with \
         block limits: load it into a drive without personality, min-block, max-block and announces-medium"
    )]
    Personality {
        /// The volume.
        name: String,
        /// The personality that was asked for.
        personality: &'static str,
    },
    /// The switch is the drive's own business: only that of an image can be moved here.
    #[error("the write-protect switch of {name} can't be moved here")]
    NoSwitch {
        /// The volume.
        name: String,
    },
    /// The switch of an image can't be moved.
    #[error("{}", named(name, source))]
    Switch {
        /// The image.
        name: String,
        /// Why.
        source: pseudotape_image::Error,
    },
    /// Only a drive of ours can be reset here.
    #[error("the drive of {name} can't be reset here")]
    NoReset {
        /// The volume.
        name: String,
    },
    /// Not everything came to stable storage.
    #[error(
        "{}: what was written after the last commit may be lost; 'pseudotape verify' tells",
        named(name, source)
    )]
    Unfinished {
        /// The volume.
        name: String,
        /// Why.
        source: VolumeError,
    },
    /// The end of the drive closed a file that was still open, and not all of it came to the volume.
    #[error("{name} was still open by {client}, which had written, and closing it failed: {errno}")]
    Unclosed {
        /// The volume.
        name: String,
        /// Who had it open.
        client: String,
        /// Why.
        errno: pseudotape_st::Errno,
    },
}

/// A cause after the name of its volume. Some causes name the volume themselves.
fn named(name: &str, cause: &impl Display) -> String {
    let cause = cause.to_string();
    match cause.starts_with(name) {
        true => cause,
        false => format!("{name}: {cause}"),
    }
}
