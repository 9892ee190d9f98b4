//! `drop-original`: files that go because a volume has them.

use std::fs::{self, File, Metadata};
use std::io::{BufReader, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use pseudotape_farm::{Entry, Existing, Extracted, FileKind, Root, State, Title, Volume};
use pseudotape_human::{Paint, Report, Screen, counted, printable};
use pseudotape_vault::{Order, Reference, ReferredFile, Surroundings, Vault};
use serde::Serialize;

use super::config::Settings;
use super::references::whole;
use super::shown::{ShownPath, named};
use super::this_user;
use crate::Verdict;
use crate::cli::DropOriginals;

/// What became of files.
#[derive(Debug, Serialize)]
struct DroppedOriginals {
    /// Files of which a volume has the same contents; they are gone where `done`.
    same: Vec<ShownOriginal>,
    kept: Vec<ShownKept>,
    done: bool,
}

#[derive(Debug, Serialize)]
struct ShownOriginal {
    #[serde(flatten)]
    path: ShownPath,
    serial: String,
    volume: String,
}

#[derive(Debug, Serialize)]
struct ShownKept {
    #[serde(flatten)]
    path: ShownPath,
    why: String,
}

impl Report for DroppedOriginals {
    fn text(&self, screen: &Screen) -> String {
        let word = if self.done { "released" } else { "can go" };
        let same = self.same.iter().map(|one| {
            format!(
                "{}: {word}: volume {} ({}) has the same",
                one.path.line(),
                printable(&one.volume),
                printable(&one.serial)
            )
        });
        let kept = self.kept.iter().map(|one| {
            let what = screen.paint(Paint::Bad, "stays");
            format!("{}: {what}: {}", one.path.line(), printable(&one.why))
        });
        let files = counted(self.same.len() as u64, "file");
        let end = match self.done {
            true => format!("{files} released\n"),
            false => format!("{files} can go; nothing was removed: --yes does it\n"),
        };
        named(&same.collect::<Vec<_>>(), true) + &named(&kept.collect::<Vec<_>>(), true) + &end
    }
}

pub(super) fn run(
    options: &DropOriginals,
    settings: &Settings,
    screen: &Screen,
) -> Result<Verdict> {
    let directory = settings.vault()?;
    let host = settings.host().as_str();
    let surroundings = Surroundings::of_this_machine();
    let mut vault = Vault::open(&directory, "pseudotape farm drop-original", surroundings)?;
    let order = Order::person(this_user(), "pseudotape farm drop-original");
    let files = vault.referred_files()?;
    let mut dropped = DroppedOriginals {
        same: Vec::new(),
        kept: Vec::new(),
        done: options.yes,
    };
    for said in &options.files {
        let path = whole(said)?;
        let bytes = path.as_os_str().as_bytes();
        let found = files
            .iter()
            .find(|file| file.host == host && file.path == bytes);
        let done = found
            .context("the catalog has no references of it")
            .and_then(|file| same(&path, file, host, options.contents_only))
            .and_then(|(seen, reference)| {
                if options.yes {
                    // A file that is there is resident, whatever the catalog says.
                    vault.mark_released(host, bytes, true, &order)?;
                    remove(&path, &seen)?;
                }
                Ok(reference)
            });
        let path = ShownPath::new(bytes);
        match done {
            Ok(reference) => dropped.same.push(ShownOriginal {
                path,
                serial: reference.volume.serial.to_string(),
                volume: reference.volume.place.name,
            }),
            Err(why) => dropped.kept.push(ShownKept {
                path,
                why: format!("{why:#}"),
            }),
        }
    }
    screen.show(&dropped)?;
    Ok(match dropped.kept.is_empty() {
        true => Verdict::Well,
        false => Verdict::Found,
    })
}

/// The reference to a copy that is the same as the file, and what the file was then.
fn same(
    path: &Path,
    file: &ReferredFile,
    host: &str,
    contents_only: bool,
) -> Result<(Metadata, Reference)> {
    let seen = fs::symlink_metadata(path)?;
    ensure!(seen.is_file(), "only regular files are dropped");
    let mut why = None;
    for reference in &file.references {
        match is_copy(path, &seen, reference, host, contents_only) {
            Ok(()) => return Ok((seen, reference.clone())),
            Err(error) => {
                let serial = &reference.volume.serial;
                why.get_or_insert(error.context(format!("its copy in volume {serial}")));
            }
        }
    }
    Err(why.unwrap_or_else(|| anyhow::anyhow!("no volume has a copy of it")))
}

fn is_copy(
    path: &Path,
    seen: &Metadata,
    reference: &Reference,
    host: &str,
    contents_only: bool,
) -> Result<()> {
    let place = &reference.volume.place;
    ensure!(place.host == host, "it is on host {}", place.host);
    let root = Root::open(Path::new(&place.root))?;
    let title = Title::new(&reference.title[..]).context("its title is none")?;
    let volume = root.look_for(&place.folder.parse()?, std::slice::from_ref(&title))?;
    let entry = volume.directory().find(&title);
    let entry = entry.context("the volume has it no more")?;
    ensure!(entry.capsule == reference.capsule, "it was replaced there");
    ensure!(
        entry.state == State::Ok,
        "it is {} there",
        entry.state.word()
    );
    ensure!(entry.kind == FileKind::File, "it is no regular file there");
    let modified = entry.stamp.modified;
    let is_as_old =
        (modified.seconds, i64::from(modified.nanoseconds)) == (seen.mtime(), seen.mtime_nsec());
    ensure!(
        entry.length == seen.len() && (is_as_old || contents_only),
        "the file was changed since"
    );
    if !contents_only {
        let differences = pseudotape_farm::differences(&volume, entry, path)?;
        ensure!(
            differences.is_empty(),
            "the file has something else than the capsule, which would be lost with it: {} (with --contents-only it is dropped \
             all the same)",
            differences.join(", ")
        );
    }
    let folder = Comparing::beside(path)?;
    let copy = extracted(&volume, entry, &folder.0)?;
    ensure!(
        are_equal(path, &copy)?,
        "it has other contents than the file"
    );
    Ok(())
}

fn extracted(volume: &Volume, entry: &Entry, folder: &Path) -> Result<PathBuf> {
    match pseudotape_farm::extract(volume, entry, folder, Existing::Kept) {
        Extracted::Done(_) => Ok(folder.join(entry.title.path())),
        Extracted::Damaged(fault) => Err(anyhow::Error::new(fault).context("it is damaged")),
        Extracted::Failed(error) => Err(anyhow::Error::new(error).context("it can't be read back")),
        _ => anyhow::bail!("it can't be read back"),
    }
}

/// A folder for the copy that the file is compared with. It goes with its contents.
struct Comparing(PathBuf);

impl Comparing {
    fn beside(path: &Path) -> Result<Self> {
        let name = format!(".pseudotape-comparing-{}", std::process::id());
        let folder = path.with_file_name(name);
        fs::create_dir(&folder).with_context(|| format!("can't make {}", folder.display()))?;
        Ok(Comparing(folder))
    }
}

impl Drop for Comparing {
    fn drop(&mut self) {
        // What can't be removed is a copy, whose name says so.
        drop(fs::remove_dir_all(&self.0));
    }
}

fn are_equal(one: &Path, other: &Path) -> Result<bool> {
    let open = |path: &Path| {
        let file = File::open(path).with_context(|| format!("can't open {}", path.display()))?;
        Ok::<_, anyhow::Error>(BufReader::with_capacity(1 << 18, file))
    };
    let (mut one, mut other) = (open(one)?, open(other)?);
    let (mut left, mut right) = (vec![0; 1 << 18], vec![0; 1 << 18]);
    loop {
        let bytes = one.read(&mut left)?;
        if bytes == 0 {
            return Ok(other.read(&mut right)? == 0);
        }
        let (left, right) = (&left[..bytes], &mut right[..bytes]);
        if other.read_exact(right).is_err() || left != right {
            return Ok(false);
        }
    }
}

/// Removes the file, which nobody may have changed since it was compared.
fn remove(path: &Path, seen: &Metadata) -> Result<()> {
    let what = |found: &Metadata| {
        let changed = (found.ctime(), found.ctime_nsec());
        (found.dev(), found.ino(), found.len(), changed)
    };
    let now = fs::symlink_metadata(path)?;
    ensure!(what(&now) == what(seen), "it was changed just now");
    fs::remove_file(path)?;
    let folder = path.parent().context("a file is in a folder")?;
    Ok(File::open(folder)?.sync_all()?)
}
