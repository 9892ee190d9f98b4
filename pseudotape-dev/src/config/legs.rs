//! A drive that is a mirror of legs.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use pseudotape_human::{Size, field_meant, parse_serial};
use pseudotape_mirror::{LegConfig, LegTable, MirrorOptions, check_leg, check_legs, parse_leg};
use pseudotape_sink::Lent;
use serde::{Deserialize, Deserializer, de};

use super::values::{Count, Seconds, Switch};

/// Less than TimeoutStopSec of the units, so that the log can say what was waited for.
const DEFAULT_END_WAIT: Duration = Duration::from_secs(240);

/// A drive that is several: each copy is a leg.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LegsConfig {
    /// The legs, in the order in which they are read.
    pub legs: Vec<LegConfig>,
    /// How they are one drive.
    pub options: MirrorOptions,
    /// At the end of the daemon, how long to wait for legs that do nothing.
    pub end_wait: Duration,
    /// The volumes that users other than root and the daemon's own may put in.
    pub lent: Lent,
}

/// Legs as they are written: an array of texts and tables, or one text with semicolons between them. What stands behind
/// a name is what stands there in a `[[leg]]` of the mirror daemon.
#[derive(Debug, Default)]
pub(super) struct Legs(pub(super) Vec<LegTable>);

impl<'de> Deserialize<'de> for Legs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let legs = match toml::Value::deserialize(deserializer)? {
            toml::Value::String(line) => line
                .split(';')
                .map(str::trim)
                .filter(|leg| !leg.is_empty())
                .map(|leg| parse_leg(leg).with_context(|| format!("'{leg}'")))
                .collect(),
            toml::Value::Array(legs) => legs.into_iter().map(leg_of).collect(),
            _ => Err(anyhow::anyhow!(
                "legs is a list: legs = [\"a=/data/a.ptape\", \"b=/mnt/b.ptape\"]"
            )),
        };
        legs.map(Legs)
            .map_err(|error| de::Error::custom(format!("{error:#}")))
    }
}

fn leg_of(value: toml::Value) -> Result<LegTable> {
    match value {
        toml::Value::String(leg) => parse_leg(&leg).with_context(|| format!("'{leg}'")),
        toml::Value::Table(table) => table.try_into().map_err(|error: toml::de::Error| {
            let text = error.to_string();
            anyhow::anyhow!(
                "a leg: {}{}",
                text.trim_end().replace('\n', " "),
                field_meant(&text)
            )
        }),
        other => {
            bail!("a leg is \"NAME=SINK\" or {{ name = \"a\", sink = \"SINK\" }}, not {other}")
        }
    }
}

/// The keys of a drive that are about its legs.
#[derive(Debug, Default)]
pub(super) struct OfLegs {
    pub(super) min_legs: Option<Count>,
    pub(super) verify_reads: Option<Switch>,
    pub(super) queue: Option<Size>,
    pub(super) serial: Option<String>,
    pub(super) end_wait: Option<Seconds>,
}

pub(super) fn check(legs: Legs, keys: OfLegs, default_serial: String) -> Result<LegsConfig> {
    let defaults = MirrorOptions::default();
    let options = MirrorOptions {
        min_legs: keys.min_legs.map_or(defaults.min_legs, |count| count.0),
        verify_reads: keys.verify_reads.is_some_and(|switch| switch.0),
        queue_bytes: keys.queue.map_or(defaults.queue_bytes, |queue| queue.0),
        serial: match keys.serial {
            Some(serial) => parse_serial(&serial).context("serial")?,
            None => default_serial,
        },
        ..defaults
    };
    ensure!(
        !legs.0.is_empty(),
        "'legs' names no leg: legs=NAME=SINK;NAME=SINK, one for each copy"
    );
    let checked = legs.0.into_iter().map(|table| {
        let name = table.name.clone();
        check_leg(table).with_context(|| format!("leg {name}"))
    });
    let legs = checked.collect::<Result<Vec<_>>>()?;
    check_legs(&legs, &options)?;
    let end_wait = keys.end_wait.map_or(DEFAULT_END_WAIT, |wait| wait.0);
    ensure!(
        !end_wait.is_zero(),
        "end-wait is 0: legs need some time to store what they have got"
    );
    Ok(LegsConfig {
        legs,
        options,
        end_wait,
        lent: Lent::default(),
    })
}
