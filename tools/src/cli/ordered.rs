//! Who orders something, and why.

use clap::Args;

/// Who orders something, and why.
#[derive(Debug, Args)]
pub(crate) struct Ordered {
    /// Who does it [default: this user].
    #[arg(long, value_name = "NAME", value_parser = pseudotape_human::parse_label)]
    pub by: Option<String>,
    /// Why.
    #[arg(long, value_name = "TEXT", value_parser = pseudotape_human::parse_label)]
    pub reason: Option<String>,
}
