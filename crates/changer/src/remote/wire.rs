//! The messages of docs/REMOTE-CHANGER.md, as lines of JSON.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::address::{Address, AddressRange, ElementKind, Layout};
use crate::barcode::Barcode;
use crate::changer::{ChangerIdentity, DriveIdentity, Exchange, Move, Removal, Selection, Side};
use crate::element::{Element, Exception, Medium};
use crate::refusal::Refusal;

/// The version of the protocol.
pub(super) const VERSION: u16 = 1;

/// Longest line from a client.
pub const MAX_REQUEST_BYTES: usize = 4096;

/// Longest line from a server: an inventory of as many elements as there are addresses.
pub const MAX_REPLY_BYTES: usize = 32 << 20;

/// Longest name of a client.
pub(super) const MAX_CLIENT_BYTES: usize = 64;

/// The first line from a client.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Hello {
    #[serde(rename = "pseudotape-changer")]
    pub(super) version: u16,
    pub(super) features: Vec<String>,
    pub(super) client: String,
}

/// The first line from a server.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Welcome {
    #[serde(rename = "pseudotape-changer")]
    pub(super) version: u16,
    pub(super) features: Vec<String>,
    pub(super) identity: WireIdentity,
    pub(super) layout: Layout,
}

/// The first line of a server that does not serve.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Turned {
    pub(super) refused: String,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct WireIdentity {
    vendor: String,
    product: String,
    revision: String,
    serial: String,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct WireDrive {
    vendor: String,
    product: String,
    serial: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Request {
    pub(super) id: u64,
    pub(super) ask: Ask,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case", deny_unknown_fields)]
pub(super) enum Ask {
    Inventory {
        kind: Option<ElementKind>,
        first: Address,
        count: Option<u16>,
    },
    DriveIdentity {
        drive: Address,
    },
    Transfer {
        from: Address,
        to: Address,
        invert: bool,
    },
    Exchange {
        source: Address,
        first: Address,
        second: Address,
        invert_first: bool,
        invert_second: bool,
    },
    Position {
        before: Address,
    },
    Initialize {
        first: Address,
        count: Option<u16>,
    },
    Removal {
        prevented: bool,
    },
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct ReplyLine {
    pub(super) id: u64,
    pub(super) reply: Reply,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Reply {
    Done,
    Elements(Vec<WireElement>),
    Drive(Option<WireDrive>),
    Refused {
        text: String,
        why: Why,
    },
    /// A later connection of the same client has taken over: nothing was done.
    Superseded,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct WireElement {
    at: Address,
    kind: ElementKind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    medium: Option<WireMedium>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    exception: Option<WireException>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    flags: Vec<Flag>,
}

#[derive(Debug, Serialize, Deserialize)]
struct WireMedium {
    barcode: Option<Barcode>,
    source: Option<Address>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    inverted: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Flag {
    Inaccessible,
    PlacedByOperator,
    InUse,
    Locked,
    #[serde(other)]
    Unknown,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum WireException {
    LoadFailed,
    Unlabelled,
    OutOfStep,
    #[serde(other)]
    Unknown,
}

/// Why it was refused, for programs. What a client does not know is `Unknown`, and its text remains.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub(super) enum Why {
    NoSuchElement {
        address: Address,
    },
    WrongKind {
        address: Address,
        kind: ElementKind,
    },
    EmptySource {
        address: Address,
        kind: ElementKind,
        number: u16,
    },
    FullDestination {
        address: Address,
        kind: ElementKind,
        number: u16,
    },
    InUse {
        drive: Address,
        by: String,
    },
    DoorLocked {
        drive: Address,
    },
    RemovalPrevented,
    NotReachable {
        from: Address,
        to: Address,
        reason: String,
    },
    NotInvertible,
    LoadFailed {
        drive: Address,
        cartridge: Barcode,
        reason: String,
        now_in: Address,
    },
    UnloadFailed {
        drive: Address,
        reason: String,
        now_in: Address,
    },
    MediumError {
        address: Address,
        reason: String,
    },
    OutOfStep {
        address: Address,
        reason: String,
    },
    NotReady {
        reason: String,
    },
    NotSupported,
    Failed {
        reason: String,
    },
    #[serde(other)]
    Unknown,
}

/// A message as a line.
pub(super) fn line(message: &impl Serialize) -> Vec<u8> {
    let mut line = serde_json::to_vec(message).expect("messages are plain data");
    line.push(b'\n');
    line
}

/// A message out of a line.
pub(super) fn parse<T: DeserializeOwned>(line: &[u8]) -> Result<T, serde_json::Error> {
    serde_json::from_slice(line)
}

impl Ask {
    pub(super) fn inventory(which: Selection) -> Ask {
        Ask::Inventory {
            kind: which.kind,
            first: which.range.first,
            count: which.range.count,
        }
    }

    pub(super) fn transfer(wanted: Move) -> Ask {
        Ask::Transfer {
            from: wanted.from,
            to: wanted.to,
            invert: wanted.side == Side::Other,
        }
    }

    pub(super) fn exchange(wanted: Exchange) -> Ask {
        Ask::Exchange {
            source: wanted.source,
            first: wanted.first,
            second: wanted.second,
            invert_first: wanted.first_side == Side::Other,
            invert_second: wanted.second_side == Side::Other,
        }
    }

    pub(super) fn initialize(range: AddressRange) -> Ask {
        Ask::Initialize {
            first: range.first,
            count: range.count,
        }
    }

    pub(super) fn removal(removal: Removal) -> Ask {
        Ask::Removal {
            prevented: removal == Removal::Prevented,
        }
    }
}

impl From<ChangerIdentity> for WireIdentity {
    fn from(identity: ChangerIdentity) -> Self {
        let ChangerIdentity {
            vendor,
            product,
            revision,
            serial,
        } = identity;
        WireIdentity {
            vendor,
            product,
            revision,
            serial,
        }
    }
}

impl From<WireIdentity> for ChangerIdentity {
    fn from(identity: WireIdentity) -> Self {
        let WireIdentity {
            vendor,
            product,
            revision,
            serial,
        } = identity;
        ChangerIdentity {
            vendor,
            product,
            revision,
            serial,
        }
    }
}

impl From<DriveIdentity> for WireDrive {
    fn from(identity: DriveIdentity) -> Self {
        let DriveIdentity {
            vendor,
            product,
            serial,
        } = identity;
        WireDrive {
            vendor,
            product,
            serial,
        }
    }
}

impl From<WireDrive> for DriveIdentity {
    fn from(identity: WireDrive) -> Self {
        let WireDrive {
            vendor,
            product,
            serial,
        } = identity;
        DriveIdentity {
            vendor,
            product,
            serial,
        }
    }
}

impl From<&Element> for WireElement {
    fn from(element: &Element) -> Self {
        let flags = [
            (!element.accessible, Flag::Inaccessible),
            (element.placed_by_operator, Flag::PlacedByOperator),
            (element.in_use, Flag::InUse),
            (element.locked, Flag::Locked),
        ];
        WireElement {
            at: element.address,
            kind: element.kind,
            medium: element.medium.map(|medium| WireMedium {
                barcode: medium.barcode,
                source: medium.source,
                inverted: medium.inverted,
            }),
            exception: element.exception.map(|exception| match exception {
                Exception::LoadFailed => WireException::LoadFailed,
                Exception::Unlabelled => WireException::Unlabelled,
                Exception::OutOfStep => WireException::OutOfStep,
            }),
            flags: flags
                .into_iter()
                .filter(|(set, _)| *set)
                .map(|(_, flag)| flag)
                .collect(),
        }
    }
}

impl From<WireElement> for Element {
    fn from(wire: WireElement) -> Self {
        let has = |flag| wire.flags.contains(&flag);
        Element {
            address: wire.at,
            kind: wire.kind,
            medium: wire.medium.as_ref().map(|medium| Medium {
                barcode: medium.barcode,
                source: medium.source,
                inverted: medium.inverted,
            }),
            accessible: !has(Flag::Inaccessible),
            exception: wire.exception.map(|exception| match exception {
                WireException::LoadFailed => Exception::LoadFailed,
                WireException::Unlabelled => Exception::Unlabelled,
                // What a later version knows keeps an element from being trusted.
                WireException::OutOfStep | WireException::Unknown => Exception::OutOfStep,
            }),
            placed_by_operator: has(Flag::PlacedByOperator),
            in_use: has(Flag::InUse),
            locked: has(Flag::Locked),
        }
    }
}

impl From<Refusal> for Reply {
    fn from(refusal: Refusal) -> Self {
        let text = refusal.to_string();
        let why = match refusal {
            Refusal::NoSuchElement { address } => Why::NoSuchElement { address },
            Refusal::WrongKind { address, kind, .. } => Why::WrongKind { address, kind },
            Refusal::EmptySource {
                address,
                kind,
                number,
            } => Why::EmptySource {
                address,
                kind,
                number,
            },
            Refusal::FullDestination {
                address,
                kind,
                number,
            } => Why::FullDestination {
                address,
                kind,
                number,
            },
            Refusal::InUse { drive, by } => Why::InUse { drive, by },
            Refusal::DoorLocked { drive } => Why::DoorLocked { drive },
            Refusal::RemovalPrevented => Why::RemovalPrevented,
            Refusal::NotReachable { from, to, reason } => Why::NotReachable { from, to, reason },
            Refusal::NotInvertible => Why::NotInvertible,
            Refusal::LoadFailed {
                drive,
                cartridge,
                reason,
                now_in,
            } => Why::LoadFailed {
                drive,
                cartridge,
                reason,
                now_in,
            },
            Refusal::UnloadFailed {
                drive,
                reason,
                now_in,
            } => Why::UnloadFailed {
                drive,
                reason,
                now_in,
            },
            Refusal::MediumError { address, reason } => Why::MediumError { address, reason },
            Refusal::OutOfStep { address, reason } => Why::OutOfStep { address, reason },
            Refusal::NotReady { reason } => Why::NotReady { reason },
            Refusal::NotSupported { .. } => Why::NotSupported,
            Refusal::Failed { reason } => Why::Failed { reason },
        };
        Reply::Refused { text, why }
    }
}

impl Why {
    /// The refusal, with the text of the other host where nothing better is known.
    pub(super) fn refusal(self, text: String) -> Refusal {
        match self {
            Why::NoSuchElement { address } => Refusal::NoSuchElement { address },
            Why::WrongKind { address, kind } => Refusal::WrongKind {
                address,
                kind,
                why: "the changer on the other host can't do this with it",
            },
            Why::EmptySource {
                address,
                kind,
                number,
            } => Refusal::EmptySource {
                address,
                kind,
                number,
            },
            Why::FullDestination {
                address,
                kind,
                number,
            } => Refusal::FullDestination {
                address,
                kind,
                number,
            },
            Why::InUse { drive, by } => Refusal::InUse { drive, by },
            Why::DoorLocked { drive } => Refusal::DoorLocked { drive },
            Why::RemovalPrevented => Refusal::RemovalPrevented,
            Why::NotReachable { from, to, reason } => Refusal::NotReachable { from, to, reason },
            Why::NotInvertible => Refusal::NotInvertible,
            Why::LoadFailed {
                drive,
                cartridge,
                reason,
                now_in,
            } => Refusal::LoadFailed {
                drive,
                cartridge,
                reason,
                now_in,
            },
            Why::UnloadFailed {
                drive,
                reason,
                now_in,
            } => Refusal::UnloadFailed {
                drive,
                reason,
                now_in,
            },
            Why::MediumError { address, reason } => Refusal::MediumError { address, reason },
            Why::OutOfStep { address, reason } => Refusal::OutOfStep { address, reason },
            Why::NotReady { reason } => Refusal::NotReady { reason },
            Why::NotSupported => Refusal::NotSupported {
                what: "do this: the other host says so",
            },
            Why::Failed { reason } => Refusal::Failed { reason },
            Why::Unknown => Refusal::Failed { reason: text },
        }
    }
}
