//! Volumes whose images are not here come back from stacked volumes: by order, and before they are loaded.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use pseudotape_human::{HumanBytes, Paint, Report, Screen, printable};
use pseudotape_sink::{Access, Sink};
use pseudotape_vault::{Label, Order, Recalled, Surroundings, Vault};
use serde::Serialize;

use super::stacks::open;
use super::{Place, order, this_user};
use crate::Verdict;
use crate::cli::RecallVolume;

#[derive(Debug, Serialize)]
struct RecallReport {
    label: String,
    image: PathBuf,
    stacked_volume: String,
    pool: String,
    file: u64,
    generation: u64,
    length: u64,
    /// Nothing where only the tape has it.
    digest: Option<String>,
}

impl Report for RecallReport {
    fn text(&self, screen: &Screen) -> String {
        format!(
            "{}: {} from {}, tape file {}, in {}\n",
            screen.paint(Paint::Heading, &printable(&self.label)),
            HumanBytes(self.length),
            printable(&self.stacked_volume),
            self.file,
            self.image.display()
        )
    }
}

impl RecallReport {
    fn new(label: &Label, recalled: Recalled) -> Self {
        let copy = recalled.copy;
        RecallReport {
            label: label.to_string(),
            image: recalled.image,
            stacked_volume: copy.stacked_volume.to_string(),
            pool: copy.pool.to_string(),
            file: copy.file,
            generation: copy.generation,
            length: copy.length,
            digest: copy.digest.map(|digest| digest.to_string()),
        }
    }
}

pub(super) fn recall(recall: &RecallVolume, place: &Place, screen: &Screen) -> Result<Verdict> {
    let mut vault = place.open("recall")?;
    let label = &recall.label;
    vault.volume(label)?;
    let order = order(&recall.order);
    let recalled = match &recall.drive {
        Some(drive) => from(&mut vault, drive, label, &order)?,
        None => {
            // To bring it back is no load: what is blocked is recalled, too.
            let places = vault.places_of_copies(label)?;
            match at_hand(&mut vault, &places, label, &order)? {
                Some(recalled) => recalled,
                None => return Err(vault.why_not_recalled(label)?.into()),
            }
        }
    };
    screen.show(&RecallReport::new(label, recalled))?;
    Ok(Verdict::Well)
}

fn from(vault: &mut Vault, drive: &Sink, label: &Label, order: &Order) -> Result<Recalled> {
    let mut tape = open(drive, Access::ReadOnly)?;
    let name = || format!("{label} from {drive}");
    let recalled = vault.recall(&mut *tape, label, order).with_context(name)?;
    tape.finish().with_context(name)?;
    Ok(recalled)
}

/// Recalls a volume from the first of these places that has it whole. What is wrong with one of them is told.
fn at_hand(
    vault: &mut Vault,
    places: &[String],
    label: &Label,
    order: &Order,
) -> Result<Option<Recalled>> {
    for place in places {
        let drive = drive_at(place)?;
        eprintln!("pseudotape: {label} is not on this disk: recalling it from {drive}");
        match from(vault, &drive, label, order) {
            Ok(recalled) => return Ok(Some(recalled)),
            Err(error) => eprintln!("pseudotape: {error:#}"),
        }
    }
    Ok(None)
}

fn drive_at(place: &str) -> Result<Sink> {
    let named = || format!("'{}' of recall-from in vault.toml", printable(place));
    let drive: Sink = place.parse().with_context(named)?;
    ensure!(
        drive.absolute().is_ok_and(|absolute| absolute == drive),
        "{}: a path in it has to begin at /",
        named()
    );
    Ok(drive)
}

/// Before a daemon loads a volume of its vault that is not on this disk: brings it back from a stacked volume that is
/// at hand. Where none is, or this user may not look, the daemon says so.
pub(crate) fn before_load(
    directory: &Path,
    label: &Label,
    access: Access,
    screen: &Screen,
) -> Result<()> {
    let looked = Vault::look(directory).and_then(|vault| vault.places_to_recall(label, access));
    let Ok(places) = looked else {
        return Ok(());
    };
    if places.is_empty() {
        return Ok(());
    }
    let surroundings = Surroundings::of_this_machine();
    let mut vault = Vault::open(directory, "pseudotape load", surroundings)
        .with_context(|| format!("{label} is not on this disk, and can't be recalled"))?;
    let order = Order::person(this_user(), "it was to be loaded");
    let recalled = at_hand(&mut vault, &places, label, &order)?;
    if let (Some(recalled), false) = (recalled, screen.is_json()) {
        screen.show(&RecallReport::new(label, recalled))?;
    }
    Ok(())
}
