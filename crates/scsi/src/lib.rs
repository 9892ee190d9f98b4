//! SCSI commands, sense and parameter data as typed values, both ways: what a unit takes and answers, and what a
//! program sends and reads.
//!
//! Nothing here does I/O or knows how a command came: by `SG_IO` on a node, or through the kernel's target core.
//! [`ChangerUnit`] is a changer over any `Changer`, [`TapeUnit`] a tape drive over any `Volume`; [`execute_tape`]
//! answers the commands that only look at a tape drive.

// Bytes from outside must not end in a panic or in another number.
#![cfg_attr(
    not(test),
    deny(clippy::indexing_slicing, clippy::cast_possible_truncation)
)]

mod bytes;
mod cdb;
mod changer_command;
mod changer_unit;
mod elements;
#[cfg(any(test, feature = "fuzz"))]
mod fuzz;
#[cfg(any(test, feature = "fuzz"))]
mod fuzz_tape;
mod inquiry;
mod log;
mod luns;
mod mode;
mod primary;
mod refusal;
mod reply;
mod sense;
mod stream;
mod tape_command;
mod tape_unit;

#[cfg(test)]
mod command_test;

pub use cdb::{CdbError, cdb_length};
pub use changer_command::{
    ChangerCommand, ElementRange, ElementType, ExchangeMedium, MoveMedium, ReadElementStatus,
};
pub use changer_unit::{ChangerUnit, Nexus, Program};
pub use elements::{
    ElementDescriptor, ElementReport, ReportError, VOLUME_ID_CHARS, decode_element_status,
    element_status, report_max_bytes,
};
#[cfg(any(test, feature = "fuzz"))]
pub use fuzz::{fuzz_command, fuzz_data};
#[cfg(any(test, feature = "fuzz"))]
pub use fuzz_tape::fuzz_tape;
pub use inquiry::{DeviceType, STANDARD_BYTES, UnitIdentity};
pub use log::{LogPage, Parameter, TAPE_ALERT_FLAGS, log_sense, tape_alert};
pub use luns::report_luns;
pub use mode::{
    BlockDescriptor, ElementAddresses, ElementKinds, ModeHeader, Page, Span, capabilities,
    compression, device_configuration, find_page, medium_partitions, mode_sense,
    transport_geometry,
};
pub use primary::{Form, LogSense, ModeSense, PageControl, PrimaryCommand};
pub use refusal::{exception_reason, refusal_sense};
pub use reply::{Reply, Status};
pub use sense::{
    FIXED_BYTES, FieldOf, FieldPointer, Reason, Sense, SenseFormat, SenseKey, StreamFlags,
};
pub use stream::{
    At, AttributeRequest, Counted, Destination, Direction, Operation, OperationsRequest,
    StreamCommand, TapeFeatures, TapeReply, TapeUnit, changes_something, data_direction,
    operations,
};
pub use tape_command::{PositionForm, TapeCommand};
pub use tape_unit::{Counters, TapeView, execute_tape, tape_sense};
