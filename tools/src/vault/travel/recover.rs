//! The vault comes back from its tapes (VT-02, VT-04, VT-07 to VT-12).

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;

use anyhow::{Context, Result, bail};
use pseudotape_human::{Screen, shell_word};
use pseudotape_tape::ObjectNumber;
use pseudotape_vault::recovery::{
    BackupDescription, Evidence, Fate, Inquiry, LossReport, Medium, Restored, Restoring, Survivor,
    Warning, loss_report, restore,
};
use pseudotape_vault::{Error, Label, Order, Refusal, Surroundings, Vault};

use super::event::{Claim, Event};
use super::removed::Removed;
use super::shown::ShownLosses;
use super::slots::Shelf;
use super::survey::{Asked, chosen, entries, look_at, reason, shown};
use super::tape::{Depth, open_backup, scan};
use super::{explained, farms};
use crate::Verdict;
use crate::cli::RecoverVault;
use crate::vault::{Place, order};

/// The loss report, in the vault's directory.
const REPORT: &str = "loss-report.json";

/// What was restored, from where.
struct Taken {
    description: BackupDescription,
    tape: String,
    restored: Restored,
    /// When nothing was written any more, and what says otherwise.
    claim: Claim,
    warnings: Vec<String>,
}

pub(in crate::vault) fn run(
    options: &RecoverVault,
    place: &Place,
    screen: &Screen,
) -> Result<Verdict> {
    let directory = place.directory()?;
    // What is no time is said before hours of reading.
    let event = Event::parse(options.event.as_deref())?;
    let (mut shelf, tapes) = Shelf::new(&options.tapes, &options.through)?;
    let mut asked = look_at(&mut shelf, tapes, Depth::Blocks)?;
    if !options.confirm {
        let entries = entries(&asked);
        let chosen = chosen(&entries, options.site);
        screen.show(&shown(&asked, &chosen, &entries))?;
        bail!(
            "nothing was changed: with --confirm that backup becomes the catalog of {}",
            directory.display()
        );
    }
    let order = order(&options.order);
    let mut taken = restored(&directory, options, &mut shelf, &mut asked, &event, &order)?;
    let doing = "pseudotape vault recover";
    let mut vault = Vault::open(&directory, doing, Surroundings::of_this_machine())?;
    let losses = losses(&mut vault, options, &mut shelf, &asked, &mut taken, &order)?;
    keep(&directory, &losses)?;
    // Killed before this, the recovery can't be ended, and is repeated.
    vault.set_reported()?;
    let is_well = losses.is_well();
    screen.show(&losses)?;
    shelf.finish()?;
    Ok(match is_well {
        true => Verdict::Well,
        false => Verdict::Found,
    })
}

/// Restores the newest backup that turns out to be whole.
fn restored(
    directory: &Path,
    options: &RecoverVault,
    shelf: &mut Shelf,
    asked: &mut [Asked],
    event: &Event,
    order: &Order,
) -> Result<Taken> {
    let mut distrusted: Vec<(usize, ObjectNumber)> = Vec::new();
    // Number and time of the newest that was ever chosen.
    let mut newest = (0, 0);
    loop {
        let entries = entries(asked);
        let choice = chosen(&entries, options.site)?;
        let (sequence, written_ms) = (choice.description.sequence, choice.description.written_ms);
        newest = newest.max((sequence, written_ms));
        let is_newest = newest == (sequence, written_ms)
            && choice.highest <= sequence
            && !choice.warnings.iter().any(may_be_newer);
        let (mut claim, note) = event.after(choice.description, is_newest)?;
        claim.weigh_backups(&entries.surveyed, choice.description);
        let place = choice.places.first().and_then(|at| entries.places.get(*at));
        let Some((tape, Some(object))) = place.copied() else {
            bail!("a backup was chosen that is nowhere");
        };
        let restoring = Restoring {
            description: choice.description,
            highest: choice.highest,
            replace: options.replace,
            order,
        };
        let one = asked.get(tape).context("a tape was chosen that is none")?;
        let done = from_tape(directory, &restoring, shelf, one, object);
        // Then what was read says nothing of the tape.
        shelf.go_on()?;
        match done {
            Ok(restored) => {
                let warnings = choice.warnings.iter().map(ToString::to_string);
                return Ok(Taken {
                    description: choice.description.clone(),
                    tape: one.name.clone(),
                    restored,
                    claim,
                    warnings: warnings.chain(note).collect(),
                });
            }
            // Then the next one is tried, which may lie before it on the same tape.
            Err(error)
                if matches!(
                    error.downcast_ref(),
                    Some(Error::Payload { .. } | Error::Damaged { .. })
                ) =>
            {
                distrusted.push((tape, object));
                let of_tape = distrusted.iter().filter(|(at, _)| *at == tape);
                let objects: Vec<_> = of_tape.map(|(_, object)| *object).collect();
                let whence = one.whence.clone();
                let again = Asked::look(shelf, whence, Depth::Digest, &objects);
                if let Some(one) = asked.get_mut(tape) {
                    *one = again;
                }
            }
            Err(error) => return Err(error),
        }
    }
}

fn from_tape(
    directory: &Path,
    restoring: &Restoring<'_>,
    shelf: &mut Shelf,
    asked: &Asked,
    object: ObjectNumber,
) -> Result<Restored> {
    let mut opened = shelf.open(&asked.whence)?;
    let mut drive = shelf.watched(&mut opened);
    let met = open_backup(&mut drive, object);
    let mut payload: Box<dyn Read + '_> = match met {
        Ok(Some(reading)) => Box::new(*reading),
        Ok(None) => Box::new(io::empty()),
        Err(error) => return Err(explained(error, &mut opened)),
    };
    let mut surroundings = Surroundings::of_this_machine();
    let done = restore(
        directory,
        restoring,
        &mut payload,
        &mut surroundings,
        &mut |_| {},
    );
    drop(payload);
    Ok(done?)
}

/// Says of each volume what became of it, and blocks those that are lost.
fn losses(
    vault: &mut Vault,
    options: &RecoverVault,
    shelf: &mut Shelf,
    asked: &[Asked],
    taken: &mut Taken,
    order: &Order,
) -> Result<ShownLosses> {
    let known = vault.known()?;
    let mut removed = Removed::new(vault.removals()?, &known);
    let survivors = vault.survivors(options.verify)?;
    let on_disk = survivors
        .iter()
        .filter_map(|one| Some((one.identity.0, one.state?)))
        .collect();
    let name = taken.restored.directory.display().to_string();
    let mut shown = ShownLosses::new(name, &taken.description, taken.tape.clone());
    shown.warnings.clone_from(&taken.warnings);
    shown
        .warnings
        .extend(asked.iter().filter_map(Asked::beginning));
    shown.warnings.extend(survivors.iter().filter_map(doubt));
    shown.kept = taken
        .restored
        .kept
        .as_ref()
        .map(|path| path.display().to_string());
    shown.rolled_forward = options.roll_forward;
    let mut media: BTreeMap<String, Medium> = BTreeMap::new();
    let mut evidence: Vec<Evidence> = Vec::new();
    let depth = match options.verify {
        true => Depth::Digest,
        false => Depth::Blocks,
    };
    for one in asked {
        let Some((site, stacked)) = one.stacked() else {
            shown.warnings.extend(one.no_stacked_volume());
            continue;
        };
        if site.identity != taken.description.site {
            shown
                .warnings
                .push(format!("{}: it belongs to another vault", one.name));
            continue;
        }
        let identity = stacked.identity.to_string();
        if !options.roll_forward {
            media.insert(identity, Medium::Present);
            continue;
        }
        let scanned = shelf.open(&one.whence).and_then(|mut opened| {
            let scanned = scan(&mut shelf.watched(&mut opened), site, stacked, depth);
            scanned.map_err(anyhow::Error::from)
        });
        // Then what was read says nothing of the tape.
        shelf.go_on()?;
        match scanned {
            Ok(found) => {
                let labels = vault.roll_forward(&found.rolled, order)?;
                removed.note_taken(&labels);
                shown.taken.extend(labels.iter().map(ToString::to_string));
                let met = removed.without(found.evidence);
                let later = met.iter().filter(|copy| !removed.may_be(copy));
                taken.claim.weigh_copies(&one.name, later, &known);
                evidence.extend(met);
                let notes = found
                    .notes
                    .iter()
                    .map(|note| format!("{}: {note}", one.name));
                shown.warnings.extend(notes);
                media.insert(identity, Medium::Scanned);
            }
            Err(error) => {
                let why = reason(&error, &one.name);
                shown.warnings.push(format!("{}: {why}", one.name));
                media.insert(identity, Medium::Damaged);
            }
        }
    }
    shown.warnings.extend(absent(vault, &media)?);
    shown.warnings.extend(removed.words());
    let farms = farms::unreferred(vault, taken.description.written_ms)?;
    taken.claim.weigh_farms(&farms);
    shown.warnings.extend(farms.words);
    shown.warnings.extend(taken.claim.settle());
    shown.contradictions = taken.claim.shown();
    let report = loss_report(&Inquiry {
        known: &known,
        backup_ms: taken.description.written_ms,
        event_ms: taken.claim.event_ms,
        on_disk: &on_disk,
        media: &media,
        evidence: &evidence,
    });
    vault.block_lost(&lost(&report, &survivors))?;
    shown.fill(&report);
    Ok(shown)
}

/// The volumes whose data are lost, and why.
fn lost(report: &LossReport, survivors: &[Survivor]) -> Vec<(Label, String)> {
    let lost = report.volumes.iter().filter_map(|loss| match loss.fate {
        // An open volume of which something is left is looked at by hand; it is refused as open.
        Fate::LostUnclosed if loss.readable.is_some() => None,
        Fate::LostMedium | Fate::LostUnrecorded | Fate::LostUnclosed => {
            let mut reason = format!("its data are lost: {}", loss.fate.word());
            let image = survivors.iter().find(|one| one.identity == loss.identity);
            if let Some(fault) = image.and_then(|one| one.fault.as_ref()) {
                reason = format!("{reason}; its image on this disk is no copy: {fault}");
            }
            Some((loss.label.clone(), reason))
        }
        Fate::Current | Fate::Stale { .. } | Fate::UnknownInterval { .. } => None,
    });
    lost.collect()
}

/// Stacked volumes that the catalog knows, and that nobody named.
fn absent(vault: &Vault, media: &BTreeMap<String, Medium>) -> Result<Vec<String>> {
    let all = vault.stacked_volumes()?.into_iter();
    let absent =
        all.filter(|one| one.state.is_readable() && !media.contains_key(&one.identity.to_string()));
    Ok(absent
        .map(|one| {
            format!(
                "the stacked volume {} is not among the tapes: what only it has counts as lost",
                one.label
            )
        })
        .collect())
}

/// Why the image of a volume on this disk does not count.
fn doubt(one: &Survivor) -> Option<String> {
    let fault = one.fault.as_ref()?;
    let path = one.path.display();
    let way_out = match one.state {
        Some(_) => format!(
            "; 'pseudotape vault add {word}' writes down what is on it",
            word = shell_word(&one.path)
        ),
        None => String::new(),
    };
    Some(format!(
        "{}: {path} is no copy of it: {fault}{way_out}",
        one.label
    ))
}

/// Whether something was there that may be a newer backup than the one that was chosen.
fn may_be_newer(warning: &Warning) -> bool {
    match warning {
        Warning::NewerDamaged { .. }
        | Warning::Unreadable { .. }
        | Warning::NewerProgram { .. } => true,
        Warning::Future { .. } | Warning::ClockWentBack { .. } | Warning::Fork { .. } => false,
    }
}

/// Writes the report down, at one stroke.
fn keep(directory: &Path, losses: &ShownLosses) -> Result<()> {
    let path = directory.join(REPORT);
    let new = directory.join("loss-report.json.new");
    let text = serde_json::to_string_pretty(losses)? + "\n";
    let write = || -> io::Result<()> {
        let mut file = File::create(&new)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, &path)?;
        File::open(directory)?.sync_all()
    };
    write().with_context(|| format!("can't write {}", path.display()))
}

/// The report of the last recovery, again.
pub(in crate::vault) fn report(place: &Place, screen: &Screen) -> Result<Verdict> {
    // The report that is there may be that of an earlier recovery. Without a catalog it is all there is.
    if let Ok(vault) = place.look()
        && let Some(recovery) = vault.pending_recovery()?
        && !recovery.is_reported
    {
        return Err(Error::from(Refusal::NotReported { recovery }).into());
    }
    let path = place.directory()?.join(REPORT);
    let text = pseudotape_human::read_text_file(&path)
        .with_context(|| format!("can't read {}: no recovery wrote one", path.display()))?;
    let losses: ShownLosses = serde_json::from_str(&text)
        .with_context(|| format!("{} is no report of a recovery", path.display()))?;
    screen.show(&losses)?;
    Ok(match losses.is_well() {
        true => Verdict::Well,
        false => Verdict::Found,
    })
}
