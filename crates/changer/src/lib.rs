//! A media changer: its elements, what is in them, and how cartridges move between them.
//!
//! [`Changer`] is the one seam of changers, as `tape::Volume` is that of open volumes. [`Library`] is the state of the
//! pseudo changer: elements and cartridges in one file. [`Robot`] is a changer out of a library and the drives that a
//! daemon lends it. Nothing here knows SCSI, images, nodes or threads.

mod address;
mod barcode;
mod changer;
mod doubt;
mod element;
mod file;
mod host;
mod kept;
mod library;
mod mirror;
mod pairing;
mod refusal;
mod remote;
mod robot;
mod state;

pub use address::{Address, AddressRange, ElementKind, Layout, LayoutError, Span};
pub use barcode::{Barcode, BarcodeError, MAX_BARCODE_BYTES};
pub use changer::{
    Changer, ChangerIdentity, DriveIdentity, Exchange, Move, Removal, Selection, Side,
};
pub use doubt::Doubt;
pub use element::{Element, Exception, Inventory, Medium};
pub use host::{FileHost, Host, MemoryHost};
pub use library::{Cartridge, Design, Library, LibraryError, Plan, Work};
pub use mirror::{ChangerLeg, MirrorChanger};
pub use pairing::{Cell, PairedLeg, PairedLibrary, Pairing, PairingError, Place, Run};
pub use refusal::Refusal;
pub use remote::{
    ChangerServer, MAX_REPLY_BYTES, MAX_REQUEST_BYTES, Reach, RemoteChanger, Session, Wait,
    serve_changer,
};
#[cfg(any(test, feature = "fuzz"))]
pub use remote::{fuzz_changer_reply, fuzz_changer_request};
pub use robot::{BayFailure, Bays, DriveUse, Robot, Step};
pub use state::StateError;
