//! The command line of `pseudotape farm remote`.

use std::ffi::OsString;

use clap::Args;

#[derive(Debug, Args)]
pub(crate) struct RunRemote {
    /// The command: the name of a file in the folder of commands of the farm's host.
    #[arg(value_name = "COMMAND")]
    pub command: String,
    /// What it gets, word by word: no shell reads it.
    #[arg(
        value_name = "ARG",
        trailing_var_arg = true,
        allow_hyphen_values = true
    )]
    pub arguments: Vec<OsString>,
}
