use std::fs;
use std::path::Path;

use anyhow::{Context, bail, ensure};
use pseudotape_human::{Screen, counted, printable, shell_word};
use pseudotape_vault::rules::dropped;
use pseudotape_vault::{Depth, Taking, Vault, Volume, read_contents};

use super::shown::{ShownVolume, VolumeList};
use super::{Place, order};
use crate::Verdict;
use crate::cli::AddVolumes;
use crate::progress;

/// Each volume is a change of its own. For people each is told as soon as it is there.
pub(super) fn run(add: &AddVolumes, place: &Place, screen: &Screen) -> anyhow::Result<Verdict> {
    ensure!(
        add.label.is_none() || add.images.len() <= 1,
        "--label is that of one volume, and several images were named"
    );
    let mut vault = place.open("add")?;
    let order = order(&add.order);
    let mut volumes = Vec::new();
    let mut told = |vault: &Vault, listed: &pseudotape_vault::Listed| -> anyhow::Result<()> {
        let shown = ShownVolume::new(vault, listed);
        match screen.is_json() {
            true => volumes.push(shown),
            false => screen.show(&shown)?,
        }
        Ok(())
    };
    if add.new {
        for _ in 0..add.count {
            let (label, scheme) = (add.label.as_ref(), add.scheme.as_ref());
            let listed = vault.make(label, scheme, add.capacity, &order)?;
            told(&vault, &listed)?;
        }
    }
    let mut verdict = Verdict::Well;
    for image in &add.images {
        let taking = Taking {
            image: image.clone(),
            contents: read(image, add.digests, screen)?,
            label: add.label.clone(),
            category: add.category,
            replace: add.replace,
        };
        let trouble = taking.contents.trouble();
        let known = vault.volume_at(image)?;
        let known = known.map(|volume| vault.files(&volume.label)).transpose()?;
        let listed = vault.take(taking, &order)?;
        told(&vault, &listed)?;
        if let Some(trouble) = trouble {
            verdict = Verdict::Found;
            let volume = &listed.volume;
            eprintln!("pseudotape: {}", damaged(&vault, volume, &trouble)?);
        }
        let files = vault.files(&listed.volume.label)?;
        for gone in dropped(&known.unwrap_or_default(), &files) {
            eprintln!(
                "pseudotape: tape file {} of {} ({}) is not on it any more as the catalog knew it",
                gone.number,
                printable(listed.volume.label.as_str()),
                counted(gone.bytes, "byte")
            );
        }
    }
    if screen.is_json() {
        screen.show(&VolumeList { volumes })?;
    }
    Ok(verdict)
}

/// What is said of a volume of which something can't be read, and the way out.
fn damaged(vault: &Vault, volume: &Volume, trouble: &str) -> anyhow::Result<String> {
    let label = printable(volume.label.as_str());
    let copies = vault.copies_of_before(&volume.label)?;
    let copies = copies.map_or_else(String::new, |places| {
        format!("a copy of before is on {places}; ")
    });
    Ok(format!(
        "{label} is {}: {}; {copies}'pseudotape vault clone {word} --to LABEL' saves what is whole",
        volume.availability,
        printable(trouble),
        word = shell_word(volume.label.as_str())
    ))
}

/// Without the vault's lock: to read an image can take hours.
fn read(
    image: &Path,
    digests: bool,
    screen: &Screen,
) -> anyhow::Result<pseudotape_vault::Contents> {
    let file = fs::metadata(image).with_context(|| format!("can't look at {}", image.display()))?;
    if !file.is_file() {
        bail!(
            "{} is no regular file: a vault keeps images",
            image.display()
        );
    }
    let depth = match digests {
        true => Depth::Digests,
        false => Depth::Frames,
    };
    let bar = progress::bar(screen, file.len());
    let contents = read_contents(image, depth, &mut |bytes| bar.set_position(bytes));
    bar.finish_and_clear();
    Ok(contents?)
}
