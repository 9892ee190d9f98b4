//! EN-10, EN-20. A tape file that was bad comes back, from its owner or from who could still read it, and is taken only
//! with the digest that it had.

use std::fs::File;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use pseudotape_human::{Paint, Report, Screen, counted, printable};
use pseudotape_vault::{
    ClonedFile, Contents, Depth, Digest, FileDigest, FileState, Label, Listed, Order, TapeFile,
    Vault, read_contents,
};
use serde::Serialize;
use serde_json::json;

use super::append::{Appended, append};
use super::pieces::{Cut, Recorded, fill};
use super::{Damaged, by, ensure_wanted};
use crate::Verdict;
use crate::cli::{ImportRecovered, Redeliver, ReturnedFile};
use crate::hook::tell;
use crate::vault::Place;

/// What became of one file.
#[derive(Debug, Serialize)]
struct Came {
    /// Its number on the damaged volume.
    old_file: u64,
    path: String,
    /// Its number on the clone; null where it was refused.
    file: Option<u64>,
    /// Why it was refused.
    refused: Option<String>,
}

#[derive(Debug, Serialize)]
struct ReturnReport {
    label: String,
    incident: String,
    damaged: String,
    files: Vec<Came>,
    /// Tape files of the damaged volume that somebody wants, and that are bad or missing.
    still_bad: Vec<u64>,
}

impl Report for ReturnReport {
    fn text(&self, screen: &Screen) -> String {
        let mut text = String::new();
        for came in &self.files {
            text += &match (&came.file, &came.refused) {
                (Some(number), _) => format!(
                    "{}: {} is tape file {number} of {}\n",
                    screen.paint(Paint::Good, "taken"),
                    printable(&came.path),
                    printable(&self.label)
                ),
                (None, why) => format!(
                    "{}: tape file {}: {}\n",
                    screen.paint(Paint::Bad, "refused"),
                    came.old_file,
                    printable(why.as_deref().unwrap_or_default())
                ),
            };
        }
        text + &match self.still_bad.as_slice() {
            [] => format!(
                "no tape file of '{}' is bad any more\n",
                printable(&self.damaged)
            ),
            bad => {
                let numbers: Vec<String> = bad.iter().map(u64::to_string).collect();
                format!(
                    "still bad: {} of '{}': {}\n",
                    counted(bad.len() as u64, "tape file"),
                    printable(&self.damaged),
                    numbers.join(", ")
                )
            }
        }
    }
}

/// EN-10.
pub(in crate::vault) fn redeliver(
    options: &Redeliver,
    place: &Place,
    screen: &Screen,
) -> Result<Verdict> {
    let vault = place.open("redeliver")?;
    let by = options.by.as_ref();
    let mut desk = Desk::new(vault, &options.label, by, options.block_size)?;
    let file = ReturnedFile {
        number: options.file,
        path: options.path.clone(),
    };
    let number = desk.take(&file)?;
    desk.came.push(came(&file, Ok(number)));
    desk.end(options.ticket_hook.as_deref(), screen)?;
    Ok(Verdict::Well)
}

/// EN-20.
pub(in crate::vault) fn import_recovered(
    options: &ImportRecovered,
    place: &Place,
    screen: &Screen,
) -> Result<Verdict> {
    let vault = place.open("import-recovered")?;
    let by = options.by.as_ref();
    let mut desk = Desk::new(vault, &options.label, by, options.block_size)?;
    for file in &options.files {
        let taken = desk.take(file);
        desk.came.push(came(file, taken));
    }
    let refused = desk.came.iter().any(|came| came.refused.is_some());
    let still_bad = desk.end(options.ticket_hook.as_deref(), screen)?;
    Ok(match refused || still_bad {
        true => Verdict::Found,
        false => Verdict::Well,
    })
}

fn came(file: &ReturnedFile, taken: Result<u64>) -> Came {
    let (number, refused) = match taken {
        Ok(number) => (Some(number), None),
        Err(error) => (None, Some(pseudotape_human::explain(error.chain()))),
    };
    Came {
        old_file: file.number,
        path: file.path.display().to_string(),
        file: number,
        refused,
    }
}

/// A clone, and the damaged volume that it is of.
struct Desk {
    vault: Vault,
    label: Label,
    damaged: Listed,
    incident: String,
    order: Order,
    block_size: Option<u32>,
    came: Vec<Came>,
}

impl Desk {
    fn new(
        vault: Vault,
        label: &Label,
        name: Option<&String>,
        block_size: Option<u32>,
    ) -> Result<Self> {
        let Damaged { listed, papers, .. } = Damaged::of(&vault, label)?;
        let incident = papers.first_progress("read")?.incident;
        Ok(Desk {
            vault,
            label: label.clone(),
            damaged: listed,
            order: Order::person(by(name), format!("it came back; incident {incident}")),
            incident,
            block_size,
            came: Vec::new(),
        })
    }

    /// Takes one file; its number on the clone.
    fn take(&mut self, file: &ReturnedFile) -> Result<u64> {
        let ReturnedFile { number, path } = file;
        let kept = &self.damaged.volume.label;
        let files = self.vault.files(kept)?;
        let old = files.iter().find(|old| old.number == *number);
        let old = old.with_context(|| format!("there is no tape file {number} on '{kept}'"))?;
        if let Some(there) = self.taken_before(file, old)? {
            return Ok(there);
        }
        ensure_wanted(&self.vault, kept, *number, old.state)?;
        ensure!(
            old.state.is_faulty(),
            "it is {} on '{kept}': only what is bad or missing comes back",
            old.state.word()
        );
        let digest = old.digest.with_context(|| {
            format!(
                "the catalog has no digest of it, so that nothing shows that {} is it",
                path.display()
            )
        })?;
        let (bytes, found) = digest_of(path)?;
        ensure!(
            found == digest,
            "{} has the digest {found} ({}), and the tape file had {digest}: it is another one, or a part of it",
            path.display(),
            counted(bytes, "byte")
        );
        let appended = match self.there(digest)? {
            Some(appended) => appended,
            None => {
                let size = self.block_size(old, bytes, path)?;
                let mut pieces = Cut::new(path, size)?;
                append(
                    &mut self.vault,
                    &self.label,
                    &mut pieces,
                    Some(digest),
                    &self.order,
                )?
            }
        };
        let cloned = ClonedFile {
            number: appended.number,
            old_number: *number,
            old_first_object: old.first_object,
        };
        self.vault
            .return_file(&self.label, cloned, &appended.contents, &self.order)?;
        Ok(appended.number)
    }

    /// Its number on the clone, where a command before has brought it and did not live to say so.
    fn taken_before(&self, file: &ReturnedFile, old: &TapeFile) -> Result<Option<u64>> {
        let (_, cloned) = self.vault.clone_of(&self.label)?.context("it is a clone")?;
        let mut cloned = cloned.iter();
        let Some(cloned) = cloned.find(|cloned| cloned.old_number == file.number) else {
            return Ok(None);
        };
        let (_, found) = digest_of(&file.path)?;
        ensure!(
            old.digest.is_none_or(|digest| digest == found),
            "it is tape file {} of {} already, and {} is another one: it has the digest {found}",
            cloned.number,
            self.label,
            file.path.display()
        );
        Ok(Some(cloned.number))
    }

    /// The file, where a command that was killed has written it already.
    fn there(&self, digest: Digest) -> Result<Option<Appended>> {
        let (_, cloned) = self.vault.clone_of(&self.label)?.context("it is a clone")?;
        let files = self.vault.files(&self.label)?;
        let there = files.into_iter().find(|file| {
            let is_one = cloned.iter().any(|cloned| cloned.number == file.number);
            !is_one && file.state == FileState::Ok && file.digest == Some(digest)
        });
        let Some(there) = there else {
            return Ok(None);
        };
        let listed = self.vault.volume(&self.label)?;
        let image = self.vault.image_of(&listed.volume);
        let image = image.context("the clone has no image in the vault")?;
        let mut contents: Contents = read_contents(&image, Depth::Frames, &mut |_| {})?;
        let number = there.number;
        for file in contents
            .files
            .iter_mut()
            .filter(|file| file.number == number)
        {
            file.digest = Some(digest);
        }
        Ok(Some(Appended { contents, number }))
    }

    /// How long the blocks of a tape file were.
    fn block_size(&self, old: &TapeFile, bytes: u64, path: &Path) -> Result<usize> {
        let size = match self.block_size {
            Some(size) => u64::from(size),
            None => self.size_there(old, bytes).with_context(|| {
                format!(
                    "nothing shows how long the blocks of tape file {} were: --block-size says it",
                    old.number
                )
            })?,
        };
        let blocks = bytes.div_ceil(size.max(1));
        ensure!(
            blocks == old.blocks,
            "the tape file had {}, and {} has {blocks} of {size} bytes each: --block-size says how long they were",
            counted(old.blocks, "block"),
            path.display()
        );
        Ok(usize::try_from(size)?)
    }

    /// As the first block of it that can be read, or as all of them where they were equally long.
    fn size_there(&self, old: &TapeFile, bytes: u64) -> Option<u64> {
        let image = self.vault.image_of(&self.damaged.volume);
        let found = image.and_then(|image| {
            let mut there = Recorded::new(&image, old).ok()?;
            there.first_length(old.blocks).ok()?
        });
        let fits = |size: &u64| bytes.div_ceil((*size).max(1)) == old.blocks;
        let even = bytes.checked_div(old.blocks);
        found
            .filter(fits)
            .or(even.filter(|size| size * old.blocks == bytes))
    }

    /// Tells what there is; whether a file is still bad.
    fn end(self, hook: Option<&str>, screen: &Screen) -> Result<bool> {
        let files = self.vault.files(&self.damaged.volume.label)?;
        let still_bad: Vec<u64> = files
            .iter()
            .filter(|file| file.state.is_faulty())
            .map(|file| file.number)
            .collect();
        let numbers = |taken: bool| -> Vec<u64> {
            let came = self.came.iter().filter(|came| came.file.is_some() == taken);
            came.map(|came| came.old_file).collect()
        };
        if let Some(command) = hook {
            let words = json!({
                "event": if still_bad.is_empty() { "close" } else { "returned" },
                "incident": self.incident,
                "label": self.label.to_string(),
                "identity": self.damaged.volume.identity.to_string(),
                "taken": numbers(true),
                "refused": numbers(false),
                "still_bad": still_bad,
            });
            tell(command, &words).context("--ticket-hook: what is taken is taken")?;
        }
        let is_bad = !still_bad.is_empty();
        screen.show(&ReturnReport {
            label: self.label.to_string(),
            incident: self.incident,
            damaged: self.damaged.volume.label.to_string(),
            files: self.came,
            still_bad,
        })?;
        Ok(is_bad)
    }
}

fn digest_of(path: &Path) -> Result<(u64, Digest)> {
    let failed = || path.display().to_string();
    let mut file = File::open(path).with_context(failed)?;
    let (mut digest, mut bytes) = (FileDigest::default(), 0);
    let mut buffer = vec![0; 1 << 20];
    loop {
        let length = fill(&mut file, &mut buffer).with_context(failed)?;
        if length == 0 {
            return Ok((bytes, digest.digest()));
        }
        digest.add(buffer.get(..length).unwrap_or_default());
        bytes += length as u64;
    }
}
