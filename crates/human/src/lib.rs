//! What the programs share when they deal with people: sizes, lists with commas, files they name, messages, screens.
//!
//! The default is what a library needs to read a specification. The feature `configuration` adds
//! sizes in configuration files; the feature `commands` adds what a command prints.

#[cfg(feature = "commands")]
mod beginning;
#[cfg(feature = "configuration")]
mod configuration;
#[cfg(feature = "commands")]
mod ending;
mod file;
pub mod list;
mod nearest;
#[cfg(feature = "commands")]
pub mod offered;
#[cfg(feature = "commands")]
mod pages;
mod process;
#[cfg(feature = "commands")]
mod screen;
mod size;
mod text;

#[cfg(feature = "commands")]
pub use beginning::Beginning;
#[cfg(feature = "configuration")]
pub use configuration::{Capacity, Size};
#[cfg(feature = "commands")]
pub use ending::{
    EXIT_CUT, EXIT_FAILED, EXIT_FOUND, EXIT_WELL, asks_for_json, end_of_usage, error_line,
};
pub use file::read_text_file;
pub use nearest::{did_you_mean, field_meant, nearest};
#[cfg(feature = "commands")]
pub use pages::{PagesError, completion_script, pages_of, write_pages};
pub use process::program_name;
#[cfg(feature = "commands")]
pub use screen::{Alignment, Paint, Report, Screen, json_line, json_text};
pub use size::{
    CapacityBytes, HumanBytes, Portion, SizeError, parse_capacity, parse_portion, parse_size,
};
pub use text::{LabelError, SerialError, counted, explain, parse_label, parse_serial, printable};
