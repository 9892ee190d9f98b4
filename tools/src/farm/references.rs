//! `refs`, `purge`, `serial` and `autorestore`.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use pseudotape_farm::{Root, State, Title, Volume};
use pseudotape_farm_script::TitleWords;
use pseudotape_human::{
    Alignment, Paint, Report, Screen, counted, printable, shell_word, time_words,
};
use pseudotape_vault::{
    FarmPlace, FarmVolume, Order, Purging, Reference, ReferenceKind, ReferredFile, Serial,
    Surroundings, Vault,
};
use serde::Serialize;

use super::config::Settings;
use super::referring::settle;
use super::shown::ShownPath;
use super::this_user;
use crate::Verdict;
use crate::cli::{CountSerials, ListReferences, PurgeReferences};

/// Files, with the volumes that have copies of them.
#[derive(Debug, Serialize)]
struct ReferenceList {
    files: Vec<ShownReferred>,
    /// References that a killed command left, and that were written now.
    mended: usize,
    /// Serial numbers of volumes of which it is not certain which files came last.
    unsettled: Vec<String>,
}

#[derive(Debug, Serialize)]
struct ShownReferred {
    #[serde(flatten)]
    path: ShownPath,
    host: String,
    state: &'static str,
    references: Vec<ShownReference>,
}

#[derive(Debug, Serialize)]
struct ShownReference {
    kind: &'static str,
    slot: Option<u8>,
    serial: String,
    volume: String,
    site: String,
    root: String,
    folder: String,
    #[serde(flatten)]
    title: TitleWords,
    capsule: String,
    since: String,
    copy: &'static str,
}

impl Report for ReferenceList {
    fn text(&self, screen: &Screen) -> String {
        let mut text = String::new();
        if self.mended > 0 {
            let references = counted(self.mended as u64, "reference");
            text += &format!("{references} of a command that was killed: written now\n");
        }
        for serial in &self.unsettled {
            let what = screen.paint(Paint::Notice, "not certain");
            text += &format!(
                "{}: {what} which files came last: a command adds to the volume, it can't be opened here, or the catalog can't be written\n",
                printable(serial)
            );
        }
        if self.files.is_empty() && !self.unsettled.is_empty() {
            return text + "no other references\n";
        }
        if self.files.is_empty() {
            return text
                + "no references: 'pseudotape farm copy --backup' and '--catalog' make them\n";
        }
        let columns = [
            ("file", Alignment::Left),
            ("state", Alignment::Left),
            ("reference", Alignment::Left),
            ("serial", Alignment::Left),
            ("volume", Alignment::Left),
            ("site", Alignment::Left),
            ("copy", Alignment::Left),
        ];
        let mut rows = Vec::new();
        for file in &self.files {
            let mut first = Some((file.path.line(), file.state));
            for reference in &file.references {
                let (name, state) = first.take().unwrap_or_default();
                let slot = reference.slot.map(|slot| format!(" {slot}"));
                rows.push(vec![
                    name,
                    state.to_owned(),
                    format!("{}{}", reference.kind, slot.unwrap_or_default()),
                    printable(&reference.serial),
                    printable(&reference.volume),
                    printable(&reference.site),
                    match reference.copy {
                        good @ ("ok" | "not here") => good.to_owned(),
                        bad => screen.paint(Paint::Bad, bad),
                    },
                ]);
            }
        }
        text + &screen.table(&columns, rows)
    }
}

/// What this host can say of volumes.
struct Seen {
    host: String,
    volumes: HashMap<String, Result<Volume, &'static str>>,
}

impl Seen {
    /// The volume, or the word for one that can't be looked at.
    fn volume(&mut self, place: &FarmPlace) -> Result<&Volume, &'static str> {
        let key = format!("{}/{}", place.root, place.folder);
        let look = || {
            let root = Root::open(Path::new(&place.root)).ok()?;
            root.look(&place.folder.parse().ok()?).ok()
        };
        let looked = self.volumes.entry(key);
        let looked = looked.or_insert_with(|| look().ok_or_else(|| without_volume(place)));
        looked.as_ref().map_err(|word| *word)
    }

    /// Whether the volume still has the copy.
    fn copy(&mut self, reference: &Reference) -> &'static str {
        let place = &reference.volume.place;
        if place.host != self.host {
            return "not here";
        }
        let volume = match self.volume(place) {
            Ok(volume) => volume,
            Err(word) => return word,
        };
        let title = Title::new(&reference.title[..]);
        let entry = title.and_then(|title| volume.directory().find(&title));
        match entry {
            Some(entry) if entry.capsule == reference.capsule => entry.state.word(),
            Some(entry) if entry.state == State::Released => entry.state.word(),
            Some(entry) if entry.state.has_file() => "replaced",
            Some(_) | None => "gone",
        }
    }

    /// Whether the file is there (CW-19, CW-20).
    fn state(&self, file: &ReferredFile) -> &'static str {
        if file.host != self.host || !file.path.starts_with(b"/") {
            return "elsewhere";
        }
        let found = Path::new(OsStr::from_bytes(&file.path)).symlink_metadata();
        let is_gone =
            |kind: ErrorKind| matches!(kind, ErrorKind::NotFound | ErrorKind::NotADirectory);
        match (found, file.released_ms) {
            (Ok(_), _) => "resident",
            (Err(error), Some(_)) if is_gone(error.kind()) => "released",
            (Err(error), None) if is_gone(error.kind()) => "removed",
            (Err(_), _) => "unknown",
        }
    }
}

/// What is said of a volume that can't be opened. A root that is gone or empty may be a disk that is not mounted, and a
/// folder that is there may have the copy all the same.
fn without_volume(place: &FarmPlace) -> &'static str {
    let root = Path::new(&place.root);
    let has_others = std::fs::read_dir(root).is_ok_and(|mut names| names.next().is_some());
    let folder = root.join(&place.folder).symlink_metadata();
    match folder {
        Err(error) if error.kind() == ErrorKind::NotFound && has_others => "no volume",
        Ok(_) | Err(_) => "unknown",
    }
}

pub(super) fn list(
    options: &ListReferences,
    serial: Option<&Serial>,
    settings: &Settings,
    screen: &Screen,
) -> anyhow::Result<Verdict> {
    let directory = settings.vault()?;
    let (mended, unsettled) = mend(&directory, settings)?;
    let vault = Vault::look(&directory)?;
    let mut files = vault.referred_files()?;
    if !options.files.is_empty() {
        let meant = chosen(&files, &options.files, settings, &unsettled)?;
        let meant: Vec<_> = meant.into_iter().map(|meant| meant.file).collect();
        files.retain(|file| meant.contains(&(file.host.clone(), file.path.clone())));
    }
    if let Some(serial) = serial {
        known(&vault, serial)?;
        for file in &mut files {
            let references = &mut file.references;
            references.retain(|reference| reference.volume.serial == *serial);
        }
        files.retain(|file| !file.references.is_empty());
    }
    let mut seen = Seen {
        host: settings.host().to_string(),
        volumes: HashMap::new(),
    };
    let files = files.iter().map(|file| shown(file, &mut seen));
    screen.show(&ReferenceList {
        files: files.collect(),
        mended,
        unsettled,
    })?;
    Ok(Verdict::Well)
}

fn shown(file: &ReferredFile, seen: &mut Seen) -> ShownReferred {
    let references = file.references.iter().map(|reference| {
        let volume = &reference.volume;
        let title = Title::new(&reference.title[..]);
        ShownReference {
            kind: reference.kind.word(),
            slot: match reference.kind {
                ReferenceKind::Backup(slot) => Some(slot),
                ReferenceKind::Archive => None,
            },
            serial: volume.serial.to_string(),
            volume: volume.place.name.clone(),
            site: volume.place.host.clone(),
            root: volume.place.root.clone(),
            folder: volume.place.folder.clone(),
            title: title.map_or_else(TitleWords::unknown, |title| TitleWords::new(&title)),
            capsule: reference.capsule.to_string(),
            since: time_words(reference.at_ms),
            copy: seen.copy(reference),
        }
    });
    let references = references.collect();
    ShownReferred {
        path: ShownPath::new(&file.path),
        host: file.host.clone(),
        state: seen.state(file),
        references,
    }
}

/// Writes the references that killed commands left, where their volumes are here and free; how many, and which volumes
/// are left.
fn mend(directory: &Path, settings: &Settings) -> anyhow::Result<(usize, Vec<String>)> {
    let unsettled = Vault::look(directory)?.unsettled_volumes()?;
    let mut mended = 0;
    let mut left = Vec::new();
    let order = Order::person(this_user(), "pseudotape farm refs");
    for volume in unsettled {
        match mend_one(directory, &volume, settings, &order) {
            Some(settled) => mended += settled,
            None => left.push(volume.serial.to_string()),
        }
    }
    Ok((mended, left))
}

fn mend_one(
    directory: &Path,
    volume: &FarmVolume,
    settings: &Settings,
    order: &Order,
) -> Option<usize> {
    let place = &volume.place;
    if place.host != settings.host().as_str() {
        return None;
    }
    let root = Root::open(Path::new(&place.root)).ok()?;
    let mut opened = root.open_volume(&place.folder.parse().ok()?).ok()?;
    let surroundings = Surroundings::of_this_machine();
    let mut vault = Vault::open(directory, "pseudotape farm refs", surroundings).ok()?;
    settle(&mut vault, &volume.serial, &mut opened, order).ok()
}

fn known(vault: &Vault, serial: &Serial) -> anyhow::Result<FarmVolume> {
    let found = vault.farm_volume(serial)?;
    found.with_context(|| format!("the catalog has no volume {serial} of a farm"))
}

/// A file that is meant.
struct Meant {
    file: (String, Vec<u8>),
    /// By its path on this host, and not by a title of what came from elsewhere.
    by_path: bool,
}

/// The files that are meant: each FILE is one, or a folder, or a title that came from elsewhere.
fn chosen(
    files: &[ReferredFile],
    meant: &[PathBuf],
    settings: &Settings,
    unsettled: &[String],
) -> anyhow::Result<Vec<Meant>> {
    let host = settings.host().as_str();
    let mut all = Vec::new();
    for said in meant {
        let before = all.len();
        let path = whole(said)?;
        let path = path.as_os_str().as_bytes();
        let title = Title::of_path(said);
        let title = title.as_ref().map(Title::bytes);
        for file in files {
            let by_path = file.host == host && is_within(&file.path, path);
            if by_path || title.is_some_and(|title| is_within(&file.path, title)) {
                let file = (file.host.clone(), file.path.clone());
                all.push(Meant { file, by_path });
            }
        }
        if all.len() == before {
            let said = printable(&said.to_string_lossy());
            ensure!(
                unsettled.is_empty(),
                "the catalog has no references of {said}, but it is not certain which files came last into {}",
                unsettled.join(", ")
            );
            bail!("the catalog has no references of {said}");
        }
    }
    Ok(all)
}

fn is_within(path: &[u8], folder: &[u8]) -> bool {
    let below = path.strip_prefix(folder);
    below.is_some_and(|below| below.is_empty() || folder == b"/" || below.starts_with(b"/"))
}

/// The path as files have it in the catalog: links in the folders before it are followed, and it need not be there.
pub(super) fn whole(said: &Path) -> anyhow::Result<PathBuf> {
    let absolute = std::path::absolute(said)
        .with_context(|| format!("can't make {} a whole path", said.display()))?;
    let parts = absolute.parent().zip(absolute.file_name());
    let found = parts.and_then(|(folder, name)| Some(folder.canonicalize().ok()?.join(name)));
    Ok(found.unwrap_or(absolute))
}

/// What was taken out of the catalog.
#[derive(Debug, Serialize)]
struct PurgedReferences {
    references: u64,
    files: u64,
    /// The serial number of the volume that left the catalog.
    volume: Option<String>,
}

impl Report for PurgedReferences {
    fn text(&self, _: &Screen) -> String {
        let references = counted(self.references, "reference");
        let files = counted(self.files, "file");
        let volume = self
            .volume
            .as_ref()
            .map(|serial| format!("; volume {} is in the catalog no more", printable(serial)));
        format!(
            "{references} deleted; {files} without any now{}; the capsules stay\n",
            volume.unwrap_or_default()
        )
    }
}

pub(super) fn purge(
    options: &PurgeReferences,
    serial: Option<&Serial>,
    settings: &Settings,
    screen: &Screen,
) -> anyhow::Result<Verdict> {
    let directory = settings.vault()?;
    let (_, unsettled) = mend(&directory, settings)?;
    let surroundings = Surroundings::of_this_machine();
    let mut vault = Vault::open(&directory, "pseudotape farm purge", surroundings)?;
    let by = options.by.clone().unwrap_or_else(this_user);
    let order = Order::person(by, "pseudotape farm purge");
    let files = match (options.all, serial) {
        (true, None) => bail!("of which volume? Say --serial SERIAL; nothing was changed"),
        (true, Some(_)) => None,
        (false, _) => {
            let files = vault.referred_files()?;
            let meant = chosen(&files, &options.files, settings, &unsettled)?;
            let by_path = meant.iter().filter(|meant| meant.by_path).count();
            ensure!(
                by_path == 0 || by_path == meant.len(),
                "that means {} of this host and {} that came from elsewhere: say the whole path of the former, or the title of the \
                 latter in another folder; nothing was changed",
                counted(by_path as u64, "file"),
                counted((meant.len() - by_path) as u64, "file"),
            );
            Some(
                meant
                    .into_iter()
                    .map(|meant| meant.file)
                    .collect::<Vec<_>>(),
            )
        }
    };
    let purged = vault.purge_references(
        Purging {
            files: files.as_deref(),
            volume: serial,
        },
        &order,
    )?;
    screen.show(&PurgedReferences {
        references: purged.references,
        files: purged.files,
        volume: serial.filter(|_| options.all).map(Serial::to_string),
    })?;
    Ok(Verdict::Well)
}

/// The serial number that is given next.
#[derive(Debug, Serialize)]
struct NextSerial {
    next: Option<String>,
}

impl Report for NextSerial {
    fn text(&self, _: &Screen) -> String {
        match &self.next {
            Some(next) => format!("the next serial number is {next}\n"),
            None => {
                "no serial numbers are counted: 'pseudotape farm serial DF0001' begins a series\n"
                    .to_owned()
            }
        }
    }
}

pub(super) fn count(
    options: &CountSerials,
    settings: &Settings,
    screen: &Screen,
) -> anyhow::Result<Verdict> {
    let directory = settings.vault()?;
    let next = match &options.first {
        None => Vault::look(&directory)?.series()?,
        Some(first) => {
            let order = Order::person(this_user(), "pseudotape farm serial");
            let mut vault = super::referring::open_or_create(settings)?;
            vault.set_series(first, &order)?;
            vault.series()?
        }
    };
    screen.show(&NextSerial {
        next: next.map(|series| series.to_string()),
    })?;
    Ok(Verdict::Well)
}

/// CW-21: the source of the rules has it, and says that it is not done for farms.
pub(super) fn restore_by_itself(file: &Path) -> anyhow::Result<Verdict> {
    let word = shell_word(file);
    bail!(
        "no file of a farm is restored by itself when it is opened: that is not supported. 'pseudotape farm refs {word}' says which \
         volumes have it, and 'pseudotape farm extract' brings it back"
    )
}
