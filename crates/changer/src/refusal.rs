//! Why a changer does not do what it is asked.

use crate::address::{Address, ElementKind};
use crate::barcode::Barcode;

/// Why nothing was moved, or what is where after a move that failed. Each one is one sense of SCSI (docs/CHANGER.md).
///
/// A new variant meets the arm `_` of other crates, which answers with a hardware error and this text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// An address that is no element.
    #[error("there is no element {address}")]
    NoSuchElement {
        /// The address.
        address: Address,
    },
    /// An element of a kind that can't do this.
    #[error("element {address} is a {kind}: {why}")]
    WrongKind {
        /// The element.
        address: Address,
        /// What it is.
        kind: ElementKind,
        /// What it can't.
        why: &'static str,
    },
    /// Nothing to move.
    #[error("{kind} {number} (element {address}) is empty")]
    EmptySource {
        /// The element.
        address: Address,
        /// What it is.
        kind: ElementKind,
        /// Its number as people count it.
        number: u16,
    },
    /// Another cartridge is there.
    #[error("{kind} {number} (element {address}) is full")]
    FullDestination {
        /// The element.
        address: Address,
        /// What it is.
        kind: ElementKind,
        /// Its number as people count it.
        number: u16,
    },
    /// A program has the drive open.
    #[error("drive element {drive} is open by {by}: end it first")]
    InUse {
        /// The drive.
        drive: Address,
        /// The program, for a person.
        by: String,
    },
    /// A program has locked the door of the drive.
    #[error("drive element {drive} is locked by a program ('mt lock'): 'mt unlock' unlocks it")]
    DoorLocked {
        /// The drive.
        drive: Address,
    },
    /// The operator can't take this out: a program has prevented it.
    #[error(
        "removal is prevented by a program: it must allow it before anything comes in or goes out"
    )]
    RemovalPrevented,
    /// The transport can't go from here to there.
    #[error("element {to} can't be reached from element {from}: {reason}")]
    NotReachable {
        /// From here.
        from: Address,
        /// To there.
        to: Address,
        /// Why.
        reason: String,
    },
    /// A cartridge with one side was to be turned over.
    #[error("a cartridge of tape has one side: it can't be turned over")]
    NotInvertible,
    /// The drive did not take the cartridge, which is back where it was.
    #[error(
        "drive element {drive} can't load {cartridge}: {reason}: it is in element {now_in} again"
    )]
    LoadFailed {
        /// The drive.
        drive: Address,
        /// The cartridge.
        cartridge: Barcode,
        /// Why.
        reason: String,
        /// Where the cartridge is now.
        now_in: Address,
    },
    /// The drive could not bring what was written to stable storage, or did not give the cartridge back. Where the
    /// cartridge is, `now_in` says.
    #[error(
        "drive element {drive} can't unload its cartridge: {reason}: it is in element {now_in}"
    )]
    UnloadFailed {
        /// The drive.
        drive: Address,
        /// Why.
        reason: String,
        /// Where the cartridge is now.
        now_in: Address,
    },
    /// The cartridge itself is bad.
    #[error("cartridge in element {address}: {reason}")]
    MediumError {
        /// Where it is.
        address: Address,
        /// What is wrong with it.
        reason: String,
    },
    /// Changers that are one disagree about an element.
    #[error("element {address} is out of step: {reason}")]
    OutOfStep {
        /// The element.
        address: Address,
        /// What one says and what the other.
        reason: String,
    },
    /// It can't be asked now.
    #[error("the changer is not ready: {reason}")]
    NotReady {
        /// Why.
        reason: String,
    },
    /// A changer that can't do this at all.
    #[error("this changer can't {what}")]
    NotSupported {
        /// What it can't do.
        what: &'static str,
    },
    /// The host or the hardware failed. Everything is where it was.
    #[error("{reason}: nothing was moved")]
    Failed {
        /// What failed.
        reason: String,
    },
}
