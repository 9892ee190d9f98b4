//! What is still wanted moves off a stacked volume.

use anyhow::{Context, Result, bail};
use pseudotape_human::{HumanBytes, Paint, Report, Screen, printable};
use pseudotape_sink::{Access, Sink};
use pseudotape_vault::{ArchiveCopy, Label, Moved, StackedVolume};
use serde::Serialize;

use super::stacks::{ShownBackup, ShownStack, backed_up, image_place, open};
use super::{Place, ensure_no_volume, order};
use crate::Verdict;
use crate::cli::ReclaimStack;

/// A copy that was moved.
#[derive(Debug, Serialize)]
struct ShownMove {
    label: String,
    generation: u64,
    length: u64,
    from_file: u64,
    stacked_volume: String,
    file: u64,
}

impl ShownMove {
    fn new(label: &Label, from: &ArchiveCopy, to: &ArchiveCopy) -> Self {
        ShownMove {
            label: label.to_string(),
            generation: to.generation,
            length: to.length,
            from_file: from.file,
            stacked_volume: to.stacked_volume.to_string(),
            file: to.file,
        }
    }
}

impl Report for ShownMove {
    fn text(&self, screen: &Screen) -> String {
        format!(
            "{}: moved to {}, tape file {}, {}\n",
            screen.paint(Paint::Heading, &printable(&self.label)),
            printable(&self.stacked_volume),
            self.file,
            HumanBytes(self.length)
        )
    }
}

/// A copy that can't be moved.
#[derive(Debug, Serialize)]
struct ShownFailure {
    label: String,
    from_file: u64,
    found: String,
}

#[derive(Debug, Serialize)]
struct ReclaimReport {
    stacked_volume: ShownStack,
    to: ShownStack,
    moved: Vec<ShownMove>,
    /// Copies that could not be read, or not be read back.
    failed: Vec<ShownFailure>,
    /// Volumes whose copies did not fit any more.
    left: Vec<String>,
    backup: Option<ShownBackup>,
    /// What was on it is given up.
    complete: bool,
}

impl Report for ReclaimReport {
    /// What was moved was told one by one.
    fn text(&self, screen: &Screen) -> String {
        let label = screen.paint(Paint::Heading, &self.stacked_volume.label());
        let backup = self.backup.as_ref().map(|backup| {
            format!(
                "backup {} of the catalog on {}, tape file {}, {}\n",
                backup.sequence,
                self.to.label(),
                backup.file,
                HumanBytes(backup.bytes)
            )
        });
        let failed = self.failed.iter().map(|failure| {
            format!(
                "{}: tape file {} of {label} stays: {}\n",
                printable(&failure.label),
                failure.from_file,
                failure.found
            )
        });
        let failed: String = failed.collect();
        let end = match (self.complete, self.failed.is_empty()) {
            (true, _) => format!("{label}: nothing on it is wanted any more, it is erase\n"),
            (false, false) => format!("{label} is as it was: what can't be moved is wanted\n"),
            (false, true) => format!(
                "{} is full, and not all that is wanted has left {label}{}; the same command with another tape goes on there\n",
                self.to.label(),
                match self.left.is_empty() {
                    true => String::new(),
                    false => format!(": {}", printable(&self.left.join(", "))),
                }
            ),
        };
        backup.unwrap_or_default() + &failed + &end
    }
}

pub(super) fn run(reclaim: &ReclaimStack, place: &Place, screen: &Screen) -> Result<Verdict> {
    let mut vault = place.open("reclaim")?;
    let order = order(&reclaim.order);
    let label = &reclaim.label;
    let mut all = vault.stacked_volumes()?.into_iter();
    let Some(stacked) = all.find(|one| one.label == *label) else {
        bail!("there is no stacked volume {label}: 'pseudotape vault pool' lists them");
    };
    let from: Sink = match (&reclaim.from, &stacked.place) {
        (Some(from), _) => from.clone(),
        (None, Some(place)) => place.parse()?,
        (None, None) => bail!("{label} is no image: --from says in which drive it is"),
    };
    let to = &reclaim.drive;
    let mut source = open(&from, Access::ReadOnly)?;
    let mut emptying = vault
        .open_emptying(&mut *source, label)
        .with_context(|| from.to_string())?;
    let mut target = open(to, Access::ReadWrite)?;
    if let Some(refusal) = target.writability().refusal() {
        bail!("{to}: it is {refusal}");
    }
    let name = || to.to_string();
    ensure_no_volume(&vault, &target, &name())?;
    let mut cartridge = vault
        .open_cartridge(&mut *target, &stacked.pool, reclaim.new.as_ref(), &order)
        .with_context(name)?;
    let wanted = vault.wanted_copies()?.remove(&stacked.identity);
    let wanted = wanted.unwrap_or_default();
    let (mut moved, mut failed, mut left) = (Vec::new(), Vec::new(), Vec::new());
    for (at, (volume, copy)) in wanted.iter().enumerate() {
        let came = vault.move_copy(
            (&mut *source, &mut emptying),
            (&mut *target, &mut cartridge),
            (volume, copy),
            &order,
        );
        let came = came.with_context(|| format!("{volume} to {to}"))?;
        let shown = match came {
            Moved::Copied(to) => ShownMove::new(volume, copy, &to),
            Moved::Full => {
                let rest = wanted.iter().skip(at);
                left = rest.map(|(volume, _)| volume.to_string()).collect();
                break;
            }
            Moved::Unreadable(error) => {
                failed.push(ShownFailure {
                    label: volume.to_string(),
                    from_file: copy.file,
                    found: error.to_string(),
                });
                continue;
            }
        };
        match screen.is_json() {
            true => moved.push(shown),
            false => screen.show(&shown)?,
        }
    }
    // The backups on the one that is given up go with it.
    let backup = backed_up(&mut vault, &mut *target, &cartridge).with_context(name)?;
    target.finish().with_context(name)?;
    vault.set_stack_place(cartridge.stacked.identity, image_place(to)?.as_deref())?;
    let complete = failed.is_empty() && left.is_empty() && backup.is_some();
    if complete {
        vault.give_up(label, &order)?;
    }
    let wanted = vault.wanted_copies()?;
    let all = vault.stacked_volumes()?;
    let now = |before: &StackedVolume| {
        let now = all.iter().find(|one| one.identity == before.identity);
        ShownStack::new(now.unwrap_or(before), &wanted)
    };
    screen.show(&ReclaimReport {
        stacked_volume: now(&stacked),
        to: now(&cartridge.stacked),
        moved,
        failed,
        left,
        backup,
        complete,
    })?;
    Ok(match complete {
        true => Verdict::Well,
        false => Verdict::Found,
    })
}
