//! What the programs share when they deal with people: sizes, lists with commas, files they name, messages, screens.
//!
//! The default is what a library needs to read a specification. The feature `configuration` adds sizes in configuration
//! files, the feature `manual` man pages and completions, the feature `times` times, the feature `commands` what a
//! command prints.

#[cfg(feature = "commands")]
mod beginning;
#[cfg(feature = "manual")]
mod completion;
#[cfg(feature = "configuration")]
mod configuration;
#[cfg(feature = "commands")]
mod ending;
mod file;
#[cfg(feature = "configuration")]
mod keys;
pub mod list;
#[cfg(feature = "manual")]
mod manual;
mod nearest;
#[cfg(feature = "commands")]
pub mod offered;
mod process;
#[cfg(feature = "commands")]
mod screen;
mod size;
mod text;
#[cfg(feature = "times")]
mod times;

#[cfg(feature = "commands")]
pub use beginning::Beginning;
#[cfg(feature = "manual")]
pub use completion::{
    Candidate, Place, Shell, Values, answers_shell, candidates, completion_script, paths,
};
#[cfg(feature = "configuration")]
pub use configuration::{Capacity, Size};
#[cfg(feature = "commands")]
pub use ending::{
    EXIT_CUT, EXIT_FAILED, EXIT_FOUND, EXIT_UNREACHED, EXIT_WELL, asks_for_json, end_of_usage,
    error_line,
};
pub use file::read_text_file;
#[cfg(feature = "configuration")]
pub use keys::keys_of;
#[cfg(feature = "manual")]
pub use manual::{Manual, Page, PagesError, file_page, pages_of, write_pages};
pub use nearest::{did_you_mean, field_meant, nearest};
pub use process::program_name;
#[cfg(feature = "commands")]
pub use screen::{Alignment, Cells, Paint, Report, Screen, json_line, json_text};
pub use size::{
    CapacityBytes, HumanBytes, Portion, SizeError, parse_capacity, parse_portion, parse_size,
};
pub use text::{
    LabelError, SerialError, counted, explain, parse_label, parse_serial, printable, shell_word,
};
#[cfg(feature = "times")]
pub use times::time_words;
