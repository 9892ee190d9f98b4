//! One leg of the configuration.

use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use pseudotape_fault::{Fault, FaultError, Faults};
use pseudotape_human::{Size, counted, did_you_mean, list, parse_size};
use pseudotape_sink::Sink;
use serde::Deserialize;

use crate::leg::{Class, Keeps, LegOptions, MirrorCommand, When};
use crate::mirror::{MAX_LEGS, MirrorOptions};

/// A leg, and what is in it at the start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LegConfig {
    /// How it is treated.
    pub options: LegOptions,
    /// `None`: nothing yet.
    pub sink: Option<Sink>,
}

/// A leg as it is written.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct LegTable {
    /// Its name.
    pub name: String,
    sink: Option<String>,
    class: Option<String>,
    when: Option<String>,
    reserve: Option<Size>,
    #[serde(default)]
    faults: Vec<String>,
}

/// What can stand behind a sink.
const LEG_OPTIONS: [&str; 3] = ["class", "when", "reserve"];
/// What sinks have themselves.
const SINK_OPTIONS: [&str; 5] = ["capacity", "early-warning", "server", "rsh", "command"];

/// Reads `NAME[=SINK][,class=…][,when=…][,reserve=…]`; the other options are the sink's.
pub fn parse_leg(text: &str) -> Result<LegTable> {
    let mut table = LegTable::default();
    let mut rest = Vec::new();
    for (number, part) in list::parts(text, ',').enumerate() {
        let (slot, value) = match part.split_once('=') {
            _ if number == 0 => {
                rest.push(part);
                continue;
            }
            Some(("class", value)) => (&mut table.class, value),
            Some(("when", value)) => (&mut table.when, value),
            Some(("reserve", value)) => {
                ensure!(table.reserve.is_none(), "reserve is said twice");
                table.reserve = Some(Size(parse_size(value).context("reserve")?));
                continue;
            }
            Some((key, _)) if !SINK_OPTIONS.contains(&key) => {
                let meant = did_you_mean(key, LEG_OPTIONS);
                ensure!(
                    meant.is_empty(),
                    "'{part}': a leg has no option '{key}'{meant} (a comma in a path: put \\ before it)"
                );
                rest.push(part);
                continue;
            }
            _ => {
                rest.push(part);
                continue;
            }
        };
        ensure!(slot.is_none(), "'{part}': said twice");
        *slot = Some(value.to_owned());
    }
    let rest = rest.join(",");
    match rest.split_once('=') {
        Some((name, sink)) => {
            table.name = name.to_owned();
            table.sink = Some(sink.to_owned());
        }
        None => table.name = rest,
    }
    Ok(table)
}

/// Checks a leg as it is written; its paths become absolute.
pub fn check_leg(table: LegTable) -> Result<LegConfig> {
    check_name(&table.name)?;
    let wrong = |error: String| anyhow::anyhow!(error);
    let options = LegOptions {
        name: table.name,
        class: match table.class {
            Some(text) => text.parse().map_err(wrong).context("class")?,
            None => Class::default(),
        },
        when: match table.when {
            Some(text) => text.parse().map_err(wrong).context("when")?,
            None => When::default(),
        },
        keeps: Keeps::default(),
        reserve_bytes: table.reserve.map(|size| size.0),
        faults: injected(&table.faults).context("faults")?,
        command: MirrorCommand::default(),
    };
    let sink = table.sink.as_deref().map(parse_sink).transpose()?;
    if let Some(path) = sink.as_ref().and_then(Sink::image_path)
        && path.is_dir()
    {
        bail!(
            "{} is a directory: a sink is an image file or a tape node",
            path.display()
        );
    }
    ensure!(
        sink.is_some() || !options.name.contains('.') || !Path::new(&options.name).exists(),
        "'{0}' is a file, and here the name of a leg without a volume: say a={0} for a leg a",
        options.name
    );
    Ok(LegConfig { options, sink })
}

/// The faults that are there from the start.
fn injected(texts: &[String]) -> Result<Faults, FaultError> {
    let faults = Faults::default();
    let understood: Result<Vec<Fault>, FaultError> =
        texts.iter().map(|text| text.parse()).collect();
    faults.inject(understood?)?;
    Ok(faults)
}

/// Names stand before '=' on command lines, and in lines of the log.
fn check_name(name: &str) -> Result<()> {
    ensure!(!name.is_empty(), "a leg needs a name: NAME=SINK");
    let allowed = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
    if let Some(other) = name.chars().find(|c| !allowed(*c)) {
        bail!("'{name}': {other:?} can't be in the name of a leg: letters, digits, - _ . can");
    }
    Ok(())
}

/// Reads a sink; its paths become absolute, since the daemon may be in another directory.
fn parse_sink(text: &str) -> Result<Sink> {
    let sink: Sink = text.parse()?;
    sink.absolute()
        .with_context(|| format!("can't make the paths of {sink} absolute"))
}

/// Reads `LEG=SINK` of a command.
pub fn parse_assignment(text: &str) -> Result<(String, Sink)> {
    let Some((leg, sink)) = text.split_once('=') else {
        bail!("'{text}' is not LEG=SINK: say the name of the leg and its volume, as a=PATH");
    };
    check_name(leg)?;
    let sink: Sink = sink.parse()?;
    let asked = sink.as_asked();
    let asked = asked.with_context(|| format!("can't make the paths of {sink} absolute"))?;
    Ok((leg.to_owned(), asked))
}

/// Checks legs that are to be one mirror.
pub fn check_legs(legs: &[LegConfig], mirror: &MirrorOptions) -> Result<()> {
    ensure!(
        !legs.is_empty(),
        "a mirror without legs: give --leg NAME=SINK for each copy, or [[leg]] in a --config file"
    );
    ensure!(
        legs.len() <= MAX_LEGS,
        "{} legs: a mirror has at most {MAX_LEGS}",
        legs.len()
    );
    for (number, leg) in legs.iter().enumerate() {
        let name = &leg.options.name;
        let before = legs.iter().take(number);
        ensure!(
            before.into_iter().all(|other| other.options.name != *name),
            "two legs are named {name}: give each a name of its own"
        );
    }
    ensure!(
        legs.iter().any(|leg| leg.options.when == When::Sync),
        "every leg is late (when=unload or when=deferred): at least one must be when=sync"
    );
    ensure!(
        mirror.min_legs <= legs.len(),
        "min-legs is {}, and the mirror has {}",
        mirror.min_legs,
        counted(legs.len() as u64, "leg")
    );
    let is_empty = |leg: &&LegConfig| leg.sink.is_none();
    if let Some(empty) = legs.iter().find(is_empty)
        && let Some(full) = legs.iter().find(|leg| !is_empty(leg))
    {
        bail!(
            "leg {} has a volume and leg {} has none: name a sink for every leg, or for none and load them later by 'pseudotape-mirror load'",
            full.options.name,
            empty.options.name
        );
    }
    Ok(())
}
