//! Changers by their specifications: the library of a daemon, a changer on another host, a SCSI changer behind a node.
//!
//! [`ChangerPlace`] is the text and the way, as `Sink` is that of a tape. Whatever is opened is a `Changer`, and a
//! daemon lends its own one to programs in the same way ([`LendsChanger`]).

mod lend;
mod orders;
mod place;
mod road;
mod sg_changer;
#[allow(unsafe_code, reason = "the ioctl of SG_IO")]
mod sg_io;
mod unit;

pub use lend::{Away, ByHand, ChangerDoor, LendsChanger, Lent, OnDemand};
pub use orders::{NotDone, answer, obey, status};
pub use place::{BadPlace, ChangerPlace, socket_and_name};
pub use road::{OpenChanger, client_name};
pub use sg_changer::{Initiator, PATIENCE, SgChanger};
pub use sg_io::SgNode;
pub use unit::LentUnit;
