//! `pseudotape vault declare-lost`, `deliver`, `redeliver`, `import-recovered`, `close-incident`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;
use pseudotape_human::parse_label;
use pseudotape_vault::Label;

#[derive(Debug, Args)]
pub(crate) struct DeclareLost {
    /// The volume.
    #[arg(value_name = "LABEL")]
    pub label: Label,
    /// A tape file of it, counted from 0; again for another one.
    #[arg(long = "file", value_name = "N", required = true)]
    pub files: Vec<u64>,
    /// Who decided it.
    #[arg(long, value_name = "NAME", value_parser = parse_label)]
    pub by: String,
    /// Why.
    #[arg(long, value_name = "TEXT", value_parser = parse_label)]
    pub reason: String,
}

/// Where a tape file is brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum DeliverTo {
    /// Into a directory of this host.
    Directory(PathBuf),
    /// To the end of another volume of the vault.
    Volume(Label),
    /// To a path of another host.
    Host { host: String, path: String },
}

fn parse_destination(text: &str) -> Result<DeliverTo, String> {
    if let Some(label) = text.strip_prefix("volume:") {
        let label = label.parse::<Label>();
        return label.map(DeliverTo::Volume).map_err(|e| e.to_string());
    }
    let Some(place) = text.strip_prefix("ssh:") else {
        return match text {
            "" => Err("name a directory, volume:LABEL or ssh:HOST:PATH".to_owned()),
            directory => Ok(DeliverTo::Directory(directory.into())),
        };
    };
    match place.split_once(':') {
        // ssh would take these for options.
        Some((host, path)) if !host.is_empty() && !path.is_empty() && !host.starts_with('-') => {
            Ok(DeliverTo::Host {
                host: host.to_owned(),
                path: path.to_owned(),
            })
        }
        _ => Err(
            "'ssh:' needs a host and the path of the file there: ssh:[USER@]HOST:PATH".to_owned(),
        ),
    }
}

#[derive(Debug, Args)]
pub(crate) struct DeliverFile {
    /// The volume.
    #[arg(value_name = "LABEL")]
    pub label: Label,
    /// Which of its tape files, counted from 0.
    #[arg(long, value_name = "N")]
    pub file: u64,
    /// Where to: a directory, where it gets the name LABEL.N; volume:LABEL, behind what is there; ssh:[USER@]HOST:PATH.
    #[arg(long, value_name = "PLACE", value_parser = parse_destination)]
    pub to: DeliverTo,
    /// Writes the receipt into this file, as JSON.
    #[arg(long, value_name = "FILE")]
    pub receipt: Option<PathBuf>,
    /// How often each block that can't be read is tried.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub tries: u32,
    /// The program that is run in place of ssh: it gets the host and a command for its shell.
    #[arg(long, value_name = "PROGRAM", default_value = "ssh")]
    pub rsh: OsString,
    /// Who does it [default: this user].
    #[arg(long, value_name = "NAME", value_parser = parse_label)]
    pub by: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Redeliver {
    /// The volume: the clone, which has the label now.
    #[arg(value_name = "LABEL")]
    pub label: Label,
    /// The tape file, by its number on the damaged volume.
    #[arg(long, value_name = "N")]
    pub file: u64,
    /// The bytes of the tape file.
    #[arg(value_name = "PATH")]
    pub path: PathBuf,
    /// How long its blocks are [default: as on the damaged volume, where one of them can be read].
    #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(u32).range(1..))]
    pub block_size: Option<u32>,
    /// A command that the shell runs at the end, with JSON on its standard input.
    #[arg(long, value_name = "CMD")]
    pub ticket_hook: Option<String>,
    /// Who does it [default: this user].
    #[arg(long, value_name = "NAME", value_parser = parse_label)]
    pub by: Option<String>,
}

/// A tape file that came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ReturnedFile {
    pub(crate) number: u64,
    pub(crate) path: PathBuf,
}

fn parse_returned(text: &str) -> Result<ReturnedFile, String> {
    let wrong =
        || format!("'{text}' is no N=PATH: the number of a tape file, and the file with its bytes");
    let (number, path) = text.split_once('=').ok_or_else(wrong)?;
    let number = number.parse().map_err(|_| wrong())?;
    match path {
        "" => Err(wrong()),
        path => Ok(ReturnedFile {
            number,
            path: path.into(),
        }),
    }
}

#[derive(Debug, Args)]
pub(crate) struct ImportRecovered {
    /// The volume: the clone, which has the label now.
    #[arg(value_name = "LABEL")]
    pub label: Label,
    /// The number of a tape file on the damaged volume, and the file with its bytes; again for another one.
    #[arg(long = "file", value_name = "N=PATH", required = true, value_parser = parse_returned)]
    pub files: Vec<ReturnedFile>,
    /// How long the blocks are [default: as on the damaged volume, where one of them can be read].
    #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(u32).range(1..))]
    pub block_size: Option<u32>,
    /// A command that the shell runs at the end, with JSON on its standard input.
    #[arg(long, value_name = "CMD")]
    pub ticket_hook: Option<String>,
    /// Who does it [default: this user].
    #[arg(long, value_name = "NAME", value_parser = parse_label)]
    pub by: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct CloseIncident {
    /// The volume: the clone, which has the label now.
    #[arg(value_name = "LABEL")]
    pub label: Label,
    /// A command that the shell runs, with JSON on its standard input.
    #[arg(long, value_name = "CMD")]
    pub ticket_hook: Option<String>,
    /// Who does it [default: this user].
    #[arg(long, value_name = "NAME", value_parser = parse_label)]
    pub by: Option<String>,
}
