//! Stacked volumes: volumes go there, and come back.

use std::path::Path;

use anyhow::{Context, Result, anyhow, ensure};
use pseudotape_human::{Alignment, HumanBytes, Paint, Report, Screen, counted, printable};
use pseudotape_sink::{Access, Sink};
use pseudotape_tape::{Drive, Volume, make_ready};
use pseudotape_vault::{
    ArchiveCopy, Cartridge, Error as VaultError, Label, LastCopy, Stacked, StackedVolume, Vault,
    WantedCopies,
};
use serde::Serialize;

use super::shown::time_words;
use super::travel::store;
use super::{Place, ensure_no_volume, order};
use crate::Verdict;
use crate::cli::{PoolOptions, StackVolumes};

/// A stacked volume.
#[derive(Debug, Serialize)]
pub(super) struct ShownStack {
    label: String,
    identity: String,
    pool: String,
    state: &'static str,
    added: String,
    copies: u64,
    bytes: u64,
    /// The newest backup of the catalog on it.
    backup: Option<u64>,
    /// Copies on it that would be missed, and their bytes.
    wanted: usize,
    wanted_bytes: u64,
}

impl ShownStack {
    pub(super) fn new(stacked: &StackedVolume, wanted: &WantedCopies) -> Self {
        let wanted = wanted.get(&stacked.identity);
        let wanted = wanted.map_or(&[][..], Vec::as_slice);
        ShownStack {
            label: stacked.label.to_string(),
            identity: stacked.identity.to_string(),
            pool: stacked.pool.to_string(),
            state: stacked.state.word(),
            added: time_words(stacked.added_ms),
            copies: stacked.copies,
            bytes: stacked.bytes,
            backup: stacked.backup,
            wanted: wanted.len(),
            wanted_bytes: wanted.iter().map(|(_, copy)| copy.length).sum(),
        }
    }
}

impl Report for ShownStack {
    fn text(&self, screen: &Screen) -> String {
        format!(
            "{}: pool {}, {}, {} in {}\n",
            screen.paint(Paint::Heading, &printable(&self.label)),
            printable(&self.pool),
            self.state,
            HumanBytes(self.bytes),
            self.copies_in_words()
        )
    }
}

impl ShownStack {
    pub(super) fn label(&self) -> String {
        printable(&self.label)
    }

    fn copies_in_words(&self) -> String {
        match self.copies {
            1 => "1 copy".to_owned(),
            copies => format!("{copies} copies"),
        }
    }
}

#[derive(Debug, Serialize)]
struct StackList {
    stacked_volumes: Vec<ShownStack>,
}

impl Report for StackList {
    fn text(&self, screen: &Screen) -> String {
        if self.stacked_volumes.is_empty() {
            return "no stacked volume: 'pseudotape vault stack --new' makes one\n".to_owned();
        }
        let columns = [
            ("pool", Alignment::Left),
            ("label", Alignment::Left),
            ("state", Alignment::Left),
            ("copies", Alignment::Right),
            ("size", Alignment::Right),
            ("wanted", Alignment::Right),
            ("backup", Alignment::Right),
            ("begun", Alignment::Left),
        ];
        let row = |stack: &ShownStack| {
            vec![
                printable(&stack.pool),
                printable(&stack.label),
                stack.state.to_owned(),
                stack.copies.to_string(),
                HumanBytes(stack.bytes).to_string(),
                HumanBytes(stack.wanted_bytes).to_string(),
                stack
                    .backup
                    .map_or_else(|| "-".to_owned(), |backup| backup.to_string()),
                stack.added.clone(),
            ]
        };
        screen.table(&columns, self.stacked_volumes.iter().map(row).collect())
    }
}

pub(super) fn pool(pool: &PoolOptions, place: &Place, screen: &Screen) -> Result<Verdict> {
    let (Some(label), Some(state)) = (&pool.label, pool.state) else {
        let vault = place.look()?;
        let wanted = vault.wanted_copies()?;
        let shown = |stacked| ShownStack::new(stacked, &wanted);
        screen.show(&StackList {
            stacked_volumes: vault.stacked_volumes()?.iter().map(shown).collect(),
        })?;
        return Ok(Verdict::Well);
    };
    let mut vault = place.open("pool")?;
    let last_copy = match pool.lose_last_copy {
        true => LastCopy::MayGo,
        false => LastCopy::Kept,
    };
    let stacked = vault.set_stack_state(label, state, last_copy, &order(&pool.order))?;
    screen.show(&ShownStack::new(&stacked, &vault.wanted_copies()?))?;
    Ok(Verdict::Well)
}

/// What became of one volume.
#[derive(Debug, Serialize)]
struct ShownCopy {
    label: String,
    /// copied, or already: the pool had a copy of it as it is.
    result: &'static str,
    stacked_volume: String,
    file: u64,
    generation: u64,
    length: u64,
    /// Nothing where only the tape has it.
    digest: Option<String>,
}

impl ShownCopy {
    fn new(label: &Label, result: &'static str, copy: &ArchiveCopy) -> Self {
        ShownCopy {
            label: label.to_string(),
            result,
            stacked_volume: copy.stacked_volume.to_string(),
            file: copy.file,
            generation: copy.generation,
            length: copy.length,
            digest: copy.digest.map(|digest| digest.to_string()),
        }
    }
}

impl Report for ShownCopy {
    fn text(&self, screen: &Screen) -> String {
        format!(
            "{}: {} on {}, tape file {}, {}\n",
            screen.paint(Paint::Heading, &printable(&self.label)),
            self.result,
            printable(&self.stacked_volume),
            self.file,
            HumanBytes(self.length)
        )
    }
}

/// A volume that can't be copied.
#[derive(Debug, Serialize)]
struct ShownUncopied {
    label: String,
    /// Why.
    found: String,
}

impl Report for ShownUncopied {
    fn text(&self, screen: &Screen) -> String {
        format!(
            "{}: no copy: {}\n",
            screen.paint(Paint::Heading, &printable(&self.label)),
            printable(&self.found)
        )
    }
}

#[derive(Debug, Serialize)]
struct StackReport {
    stacked_volume: ShownStack,
    /// It was blank.
    begun: bool,
    volumes: Vec<ShownCopy>,
    /// Volumes without a copy, because the stacked volume is full.
    left: Vec<String>,
    /// Volumes that can't be copied.
    failed: Vec<ShownUncopied>,
    /// The backup of the catalog that was written behind them.
    backup: Option<ShownBackup>,
    /// One was to be written, and did not fit.
    backup_left: bool,
    complete: bool,
}

/// A backup of the catalog on the stacked volume.
#[derive(Debug, Serialize)]
pub(super) struct ShownBackup {
    pub sequence: u64,
    pub file: u64,
    pub bytes: u64,
}

impl Report for StackReport {
    /// The volumes were told one by one.
    fn text(&self, _: &Screen) -> String {
        let label = printable(&self.stacked_volume.label);
        let backup = self.backup.as_ref().map(|backup| {
            format!(
                "backup {} of the catalog on {label}, tape file {}, {}\n",
                backup.sequence,
                backup.file,
                HumanBytes(backup.bytes)
            )
        });
        let volumes = match self.left.len() {
            0 => None,
            1 => Some("1 volume has no copy: ".to_owned()),
            left => Some(format!("{left} volumes have no copy: ")),
        };
        let volumes =
            volumes.map(|volumes| format!("{volumes}{}", printable(&self.left.join(", "))));
        let catalog = self
            .backup_left
            .then(|| "the backup of the catalog did not fit".to_owned());
        let left: Vec<String> = [volumes, catalog].into_iter().flatten().collect();
        let left = (!left.is_empty()).then(|| {
            format!(
                "{label} is full, and {}; the same command with another tape goes on there\n",
                left.join("; ")
            )
        });
        backup.unwrap_or_default() + &left.unwrap_or_default()
    }
}

pub(super) fn stack(stack: &StackVolumes, place: &Place, screen: &Screen) -> Result<Verdict> {
    let mut vault = place.open("stack")?;
    let order = order(&stack.order);
    let labels = match stack.policy {
        true => vault.without_copy(&stack.to)?,
        false => stack.labels.clone(),
    };
    // What is not there is said before a tape is begun.
    for label in &labels {
        vault.volume(label)?;
    }
    let mut tape = open(&stack.drive, Access::ReadWrite)?;
    if let Some(refusal) = tape.writability().refusal() {
        return Err(anyhow!("{}: it is {refusal}", stack.drive));
    }
    let name = || stack.drive.to_string();
    ensure_no_volume(&vault, &tape, &name())?;
    let mut cartridge = vault
        .open_cartridge(&mut *tape, &stack.to, stack.new.as_ref(), &order)
        .with_context(name)?;
    let mut volumes = Vec::new();
    let mut left = Vec::new();
    let mut failed = Vec::new();
    let mut is_failed = false;
    for (at, label) in labels.iter().enumerate() {
        let stacked = vault.stack(&mut *tape, &mut cartridge, label, &order);
        let what = || format!("{label} to {}", stack.drive);
        let shown = match stacked.with_context(what)? {
            Stacked::Copied(copy) => ShownCopy::new(label, "copied", &copy),
            Stacked::Already(copy) => ShownCopy::new(label, "already", &copy),
            Stacked::Full => {
                left = labels.iter().skip(at).map(Label::to_string).collect();
                break;
            }
            // What is on such a volume has no copy, also where there is one of before.
            Stacked::Unreadable(error)
                if stack.policy
                    || matches!(
                        error,
                        VaultError::WrittenPast { .. } | VaultError::OlderHere { .. }
                    ) =>
            {
                let shown = ShownUncopied {
                    label: label.to_string(),
                    found: error.to_string(),
                };
                match screen.is_json() {
                    true => failed.push(shown),
                    false => screen.show(&shown)?,
                }
                is_failed = true;
                continue;
            }
            // Who names a volume is told at once.
            Stacked::Unreadable(error) => return Err(error).with_context(what),
        };
        match screen.is_json() {
            true => volumes.push(shown),
            false => screen.show(&shown)?,
        }
    }
    let identity = cartridge.stacked.identity;
    // Where it became full, this is what ends the filling.
    let is_due = !left.is_empty() || vault.backup_is_due(identity)?;
    let backup = match is_due {
        true => backed_up(&mut vault, &mut *tape, &cartridge).with_context(name)?,
        false => None,
    };
    let backup_left = is_due && backup.is_none();
    tape.finish().with_context(name)?;
    vault.set_stack_place(identity, image_place(&stack.drive)?.as_deref())?;
    let all = vault.stacked_volumes()?;
    let now = all.iter().find(|one| one.identity == identity);
    let complete = left.is_empty() && !is_failed && !backup_left;
    screen.show(&StackReport {
        stacked_volume: ShownStack::new(now.unwrap_or(&cartridge.stacked), &vault.wanted_copies()?),
        begun: cartridge.begun,
        volumes,
        left,
        failed,
        backup,
        backup_left,
        complete,
    })?;
    Ok(match complete {
        true => Verdict::Well,
        false => Verdict::Found,
    })
}

/// Where a stacked volume is that is an image, for those who look for it later.
pub(super) fn image_place(drive: &Sink) -> Result<Option<String>> {
    let is_image = drive.image_path().is_some_and(Path::is_file);
    let place = drive.absolute().context("where this directory is")?;
    Ok(is_image.then(|| place.to_string()))
}

/// Writes a backup of the catalog behind what is on a stacked volume. Where it does not fit, that is full, and the next
/// one gets it.
pub(super) fn backed_up(
    vault: &mut Vault,
    tape: &mut dyn Drive,
    cartridge: &Cartridge,
) -> Result<Option<ShownBackup>> {
    let stacked = &cartridge.stacked;
    let mut backup = vault.back_up()?;
    let on = pseudotape_stack::StackedVolume {
        identity: stacked.identity,
        label: stacked.label.to_string(),
        pool: stacked.pool.to_string(),
    };
    let Some(stored) = store(tape, &on, &mut backup)? else {
        vault.note_full(stacked.identity, "a backup of the catalog did not fit")?;
        return Ok(None);
    };
    let (sequence, bytes) = (backup.description.sequence, backup.description.length);
    let file = stored.file.unwrap_or(cartridge.next_file);
    vault.note_backup(stacked.identity, file, sequence)?;
    Ok(Some(ShownBackup {
        sequence,
        file,
        bytes,
    }))
}

pub(super) fn open(drive: &Sink, access: Access) -> Result<Box<dyn Volume>> {
    let mut tape = drive.open(access)?;
    make_ready(&mut *tape).map_err(|failed| anyhow!("{drive}: {failed}"))?;
    let mode = tape.mode().map_err(|failed| anyhow!("{drive}: {failed}"))?;
    ensure!(
        mode.last_partition == 0,
        "{drive} has {}, and a stacked volume has one",
        counted(u64::from(mode.last_partition) + 1, "partition")
    );
    Ok(tape)
}
