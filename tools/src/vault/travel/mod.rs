//! The catalog's backups on tapes, and the recovery from them.

mod event;
mod farms;
mod inventory;
mod recover;
mod removed;
mod shelved;
mod shown;
mod slots;
mod survey;
mod tape;
mod watched;

use anyhow::{Context, Result, anyhow, bail};
use pseudotape_human::{Screen, printable};
use pseudotape_sink::{Access, Location, Sink};
use pseudotape_stack::StackedVolume;
use pseudotape_vault::{Order, Vault};

use super::{Place, ensure_no_volume, order, this_user};
use crate::Verdict;
use crate::cli::{BackUpVault, GoOnline, ListInventory};
use crate::copying::tape::{Tape, name_of};
use pseudotape_copy::Side;
use shelved::Shelved;
use shown::{ShownBackup, ShownStored, ShownTape};
use tape::Head;

pub(super) use recover::{report, run as recover};
pub(super) use survey::{catalog_of, run as survey};
pub(super) use tape::store;

/// A tape that is there and ready.
struct Opened {
    name: String,
    tape: Tape,
}

fn opened(sink: &Sink, access: Access) -> Result<Opened> {
    let name = name_of(sink);
    let tape = Tape::open(sink, access, Side::First)?;
    Ok(Opened { name, tape })
}

/// What the drive knows more about an error of its own.
fn explained(error: pseudotape_stack::Error, opened: &mut Opened) -> anyhow::Error {
    let name = opened.name.clone();
    match opened.tape.open.take_trouble() {
        Some(trouble) => anyhow!(error).context(format!("{name}: {trouble}")),
        None => anyhow!(error).context(name),
    }
}

/// Writes a backup of the catalog on a tape.
pub(super) fn back_up(options: &BackUpVault, place: &Place, screen: &Screen) -> Result<Verdict> {
    if let Location::Null(_) = options.tape.place {
        bail!(
            "{} keeps nothing, so no backup goes there: name a tape",
            name_of(&options.tape)
        );
    }
    let mut vault = place.open("backup")?;
    let mut opened = opened(&options.tape, Access::ReadWrite)?;
    let name = opened.name.clone();
    ensure_no_volume(&vault, &opened.tape.open, &name)?;
    let head = tape::head(opened.tape.drive()).map_err(|error| explained(error, &mut opened))?;
    let begun = matches!(head, Head::Blank);
    let volume = match head {
        Head::Foreign(why) => bail!(
            "{name} is no stacked volume ({why}): a backup goes on a blank tape, or behind what a vault has written"
        ),
        Head::Ours { site, .. } if site.identity != vault.configuration().identity => bail!(
            "{name} belongs to the vault {} ({}), and not to this one: name another tape",
            site.name.escape_debug(),
            site.identity
        ),
        Head::Ours { volume, .. } => {
            if let Some(pool) = options
                .to
                .as_ref()
                .filter(|pool| volume.pool != pool.as_str())
            {
                bail!(
                    "{name} is stacked volume {} of pool {}, and not of pool {pool}: name another tape, or leave out --to",
                    printable(&volume.label),
                    printable(&volume.pool)
                );
            }
            if let Some(label) = options
                .new
                .as_ref()
                .filter(|label| volume.label != label.as_str())
            {
                bail!(
                    "{name} is stacked volume {}, and not {label}: name another tape, or leave out --new",
                    printable(&volume.label)
                );
            }
            volume
        }
        Head::Blank => begin(options, &mut vault, &mut opened).with_context(|| name.clone())?,
    };
    let mut backup = vault.back_up()?;
    let stored = tape::store(opened.tape.drive(), &volume, &mut backup)
        .map_err(|error| explained(error, &mut opened))?;
    let sequence = backup.description.sequence;
    opened.tape.finish()?;
    let Some(stored) = stored else {
        let full = vault.note_full(volume.identity, "a backup of the catalog did not fit")?;
        let full = full.map_or_else(String::new, |label| {
            format!("; the stacked volume {label} is full now")
        });
        bail!(
            "{name} is full: backup {sequence} did not fit, and is not on it{full}; name another tape"
        );
    };
    if let Some(file) = stored.file {
        vault.note_backup(volume.identity, file, sequence)?;
    }
    screen.show(&ShownStored {
        tape: name,
        stacked_volume: ShownTape::new(&volume),
        begun,
        backup: ShownBackup::new(&backup.description, stored.object),
    })?;
    Ok(Verdict::Well)
}

/// A blank tape becomes a stacked volume of a pool.
fn begin(options: &BackUpVault, vault: &mut Vault, opened: &mut Opened) -> Result<StackedVolume> {
    let label = match &options.new {
        Some(label) => label.clone(),
        None => {
            let label = label_of(&opened.tape, &options.tape);
            let parsed = label.parse();
            parsed.with_context(|| {
                format!(
                    "'{}' is no label for it: say one with --new LABEL",
                    printable(&label)
                )
            })?
        }
    };
    let pool = vault.pool_for_backup(options.to.as_ref())?;
    let order = Order::person(this_user(), "");
    let begun = vault.open_cartridge(opened.tape.drive(), &pool, Some(&label), &order)?;
    Ok(StackedVolume {
        identity: begun.stacked.identity,
        label: begun.stacked.label.to_string(),
        pool: begun.stacked.pool.to_string(),
    })
}

/// What a new stacked volume is called: by its barcode, its label, or its file.
fn label_of(tape: &Tape, sink: &Sink) -> String {
    let identity = tape.open.volume_identity();
    let stem = sink.image_path().and_then(|path| path.file_stem());
    let stem = stem.map(|stem| stem.to_string_lossy().into_owned());
    [Some(identity.barcode), Some(identity.label), stem]
        .into_iter()
        .flatten()
        .find(|text| !text.is_empty())
        .unwrap_or_else(|| "unlabelled".to_owned())
}

/// What the vault has, and what of it is there.
pub(super) fn inventory(list: &ListInventory, place: &Place, screen: &Screen) -> Result<Verdict> {
    let slots = Shelved::of(list.form.changer.as_ref())?;
    inventory::told(&place.look()?, &slots, &list.form, screen)?;
    Ok(Verdict::Well)
}

/// Ends a recovery, and gives the inventory for the catalogs of backup programs (VT-06).
pub(super) fn online(options: &GoOnline, place: &Place, screen: &Screen) -> Result<Verdict> {
    let mut vault = place.open("online")?;
    // A changer that does not answer is told before anything is changed.
    let slots = Shelved::of(options.form.changer.as_ref())?;
    vault.set_online(&order(&options.order))?;
    inventory::told(&vault, &slots, &options.form, screen)?;
    Ok(Verdict::Well)
}
