//! Volumes come into the vault: images that there are, and new ones.

use std::cmp::Ordering;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use pseudotape_drive::{default_early_warning_bytes, make_volume};
use pseudotape_human::{counted, shell_word};
use pseudotape_image::CreateParameters;

use super::{Place, Vault, changed, found};
use crate::catalog::Rows;
use crate::contents::{Contents, Depth, read_contents};
use crate::error::Error;
use crate::event::{Actor, Change, Order, Subject};
use crate::label::{Label, Scheme};
use crate::layout::MAKING;
use crate::rules::{dropped, files_after, is_other, is_same};
use crate::state::{Availability, Category, FileState, Opening};
use crate::volume::{Block, Listed, TapeFile, Volume};

/// An image that is taken into the vault.
#[derive(Clone, Debug)]
pub struct Taking {
    /// Where it is.
    pub image: PathBuf,
    /// What is on it.
    pub contents: Contents,
    /// What it is to be called; else as it calls itself, or as its file is called.
    pub label: Option<Label>,
    /// What it is for; else it is private where something is on it, and scratch where nothing is.
    pub category: Option<Category>,
    /// Also where it is an older image of a volume that the vault has, or another one than it knows.
    pub replace: bool,
}

impl Vault {
    /// Takes an image in. It gets a name in the vault's directory of images, and loses the one that it had when the
    /// catalog has it. What is in the vault already is looked at anew: its catalog says then what is on it.
    ///
    /// | condition | result | after |
    /// |---|---|---|
    /// | all is well | `Ok` | a volume, its image in the vault |
    /// | its image is the vault's already | `Ok` | closed, with what is on it now |
    /// | it is an older image of that volume, or was written elsewhere | `OlderImage`, unless `replace` | as before |
    /// | a drive has it, or it is a copy of a volume here | `InUse`, `IdentityTaken` | as before |
    /// | the label is taken | `LabelTaken` | as before |
    /// | killed | – | as before, or with a second name in the directory of images that `inspect` finds; or a volume |
    pub fn take(&mut self, taking: Taking, order: &Order) -> Result<Listed, Error> {
        expect_fit(&taking)?;
        let (listed, leftover) = self.change(|place, rows, now| {
            match rows.find_identity(taking.contents.identity)? {
                None => taken(&taking, place, rows, now, order),
                Some((key, listed)) => {
                    let known = listed.volume.image.as_ref();
                    let image = known.map(|name| place.images.join(name));
                    if !image.as_ref().is_some_and(|image| is_one_file(image, &taking.image)) {
                        return Err(Error::IdentityTaken {
                            path: taking.image.clone(),
                            identity: taking.contents.identity.to_string(),
                            label: listed.volume.label,
                            known: known.cloned().unwrap_or_else(|| "none".to_owned()),
                        });
                    }
                    let label = taking.label.as_ref();
                    if label.is_some_and(|label| *label != listed.volume.label) {
                        return Err(Error::Unfit {
                            path: taking.image.clone(),
                            why: format!(
                                "it is in the vault as {}: 'pseudotape vault set {word} --label' gives it another label",
                                listed.volume.label,
                                word = shell_word(listed.volume.label.as_str())
                            ),
                        });
                    }
                    let listed = changed(rows, key, listed.volume, now, |volume, files, now| {
                        let doubt = doubt(volume, files, &taking.contents);
                        if let (Some(why), false) = (doubt, taking.replace) {
                            return Err(older(volume, files, &taking, why));
                        }
                        if doubt == Some(OTHER) {
                            // What is on it now was recorded anew, as often as it was written.
                            volume.image_generation = None;
                        }
                        record(volume, files, &taking.contents, 0, now, order)
                    })?;
                    let leftover = image.filter(|image| !is_one_name(image, &taking.image));
                    Ok((listed, leftover.map(|_| taking.image.clone())))
                }
            }
        })?;
        // From here on it is the vault's, by the name that the catalog has.
        if let Some(leftover) = leftover {
            let removed = fs::remove_file(&leftover);
            removed.map_err(|error| Error::host("take away the second name", leftover, error))?;
        }
        Ok(listed)
    }

    /// Makes a blank volume: with this label, or the next one of a scheme.
    pub fn make(
        &mut self,
        label: Option<&Label>,
        scheme: Option<&Scheme>,
        capacity_bytes: Option<u64>,
        order: &Order,
    ) -> Result<Listed, Error> {
        let usual = self.configuration.scheme();
        let scheme = scheme.unwrap_or(&usual);
        let now = self.surroundings.now_ms();
        let identity = self.surroundings.identity(now);
        self.change(|place, rows, now| {
            let label = match label {
                Some(label) => label.clone(),
                None => next_label(rows, scheme)?,
            };
            expect_free(rows, &label)?;
            let mut parameters = CreateParameters::new(identity, now);
            parameters.header.capacity_bytes = capacity_bytes;
            parameters.header.early_warning_bytes =
                capacity_bytes.map_or(0, default_early_warning_bytes);
            label.as_str().clone_into(&mut parameters.label);
            let name = image_name(rows, &label, &identity.to_string())?;
            let generation = make_image(place, &place.images.join(&name), &parameters)?;
            let volume = Volume {
                image: Some(name),
                image_generation: Some(generation),
                ..blank(label, &parameters, Category::Scratch, now)
            };
            came(rows, &volume, &[], order, Vec::new(), now)
        })
    }
}

/// Makes a blank image, which has its name when it is whole. Returns its own generation.
fn make_image(place: &Place, path: &Path, parameters: &CreateParameters) -> Result<u64, Error> {
    let making = place.images.join(MAKING);
    match fs::remove_file(&making) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(Error::host("remove", making, error));
        }
        Ok(()) | Err(_) => {}
    }
    make_volume(&making, parameters)?;
    let made = read_contents(&making, Depth::Frames, &mut |_| {})?;
    if path.exists() && is_abandoned(path, &parameters.label) {
        fs::remove_file(path).map_err(|error| Error::host("remove", path, error))?;
    }
    match fs::hard_link(&making, path) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            return Err(unknown_there(path));
        }
        Err(error) => return Err(Error::host("make", path, error)),
    }
    fs::remove_file(&making).map_err(|error| Error::host("remove", making, error))?;
    let synced = File::open(&place.images).and_then(|folder| folder.sync_all());
    synced.map_err(|error| Error::host("commit", &place.images, error))?;
    Ok(made.generation)
}

/// A file that no volume has is where the image of one is to be.
fn unknown_there(path: &Path) -> Error {
    Error::Unfit {
        path: path.to_owned(),
        why: "the catalog does not know it, and a volume's image would get its name; 'pseudotape vault doctor' says what \
              to do"
            .to_owned(),
    }
}

/// Whether an image is what a killed command left that was making a volume of this label: blank, and nobody has it.
fn is_abandoned(path: &Path, label: &str) -> bool {
    let read = read_contents(path, Depth::Frames, &mut |_| {});
    read.is_ok_and(|found| found.files.is_empty() && !found.in_use && found.label == label)
}

fn expect_fit(taking: &Taking) -> Result<(), Error> {
    let path = || taking.image.clone();
    if taking.contents.in_use {
        return Err(Error::InUse { path: path() });
    }
    if taking.contents.partitions > 1 {
        return Err(Error::Unfit {
            path: path(),
            why: format!(
                "it has {} partitions, and a vault keeps volumes of one",
                taking.contents.partitions
            ),
        });
    }
    Ok(())
}

/// A volume that the vault did not know, and the name to take away when the catalog has it.
fn taken(
    taking: &Taking,
    place: &Place,
    rows: Rows<'_>,
    now: u64,
    order: &Order,
) -> Result<(Listed, Option<PathBuf>), Error> {
    let contents = &taking.contents;
    let label = match &taking.label {
        Some(label) => label.clone(),
        None => own_label(taking)?,
    };
    expect_free(rows, &label)?;
    let (name, leftover) = settle(taking, place, rows, &label)?;
    let parameters = CreateParameters::new(contents.identity, now);
    let is_blank = contents.files.is_empty() && contents.trouble().is_none();
    let category = taking.category.unwrap_or(match is_blank {
        true => Category::Scratch,
        false => Category::Private,
    });
    let mut volume = Volume {
        image: Some(name),
        image_generation: Some(contents.generation),
        generation: u64::from(!contents.files.is_empty()),
        ..blank(label, &parameters, category, now)
    };
    let changes = block_for_trouble(&mut volume, contents, now)?;
    let listed = came(rows, &volume, &contents.files, order, changes, now)?;
    Ok((listed, leftover))
}

/// An image that is as old as the catalog, and another one.
const OTHER: &str = "it was written as often as the catalog knows, and has something else on it";
/// An image of before.
const OLDER: &str = "the catalog knows of writings after it";

/// Why an image may not be the last that was written of a volume. One that a program had and did not close can have
/// more on it than the catalog knows without a further generation, which comes with the first commit.
fn doubt(volume: &Volume, known: &[TapeFile], contents: &Contents) -> Option<&'static str> {
    match volume.image_generation?.cmp(&contents.generation) {
        Ordering::Less => None,
        Ordering::Equal => {
            let is_whole = contents.missing_from.is_none();
            let has_more =
                volume.opening == Opening::Open && dropped(known, &contents.files).is_empty();
            (is_whole && is_other(known, &contents.files) && !has_more).then_some(OTHER)
        }
        Ordering::Greater => Some(OLDER),
    }
}

/// Names what the catalog would know no more.
fn older(volume: &Volume, known: &[TapeFile], taking: &Taking, why: &'static str) -> Error {
    let gone = dropped(known, &taking.contents.files);
    let one = |file: &&TapeFile| {
        format!(
            "tape file {} ({})",
            file.number,
            counted(file.bytes, "byte")
        )
    };
    let gone: Vec<String> = gone.iter().map(one).collect();
    Error::OlderImage {
        path: taking.image.clone(),
        label: volume.label.clone(),
        why,
        gone: match gone.is_empty() {
            true => "what was written over since".to_owned(),
            false => gone.join(", "),
        },
    }
}

/// Stores a volume that is new here.
fn came(
    rows: Rows<'_>,
    volume: &Volume,
    files: &[TapeFile],
    order: &Order,
    changes: Vec<Change>,
    now: u64,
) -> Result<Listed, Error> {
    let key = rows.insert(volume)?;
    rows.replace_files(key, &[], files)?;
    let category = Some(volume.category.word().to_owned());
    let came = Change::new(Subject::Volume, None, category, order);
    for change in [came].iter().chain(&changes) {
        rows.log(now, Some((key, &volume.label)), change)?;
    }
    Ok(found(rows, &volume.label)?.1)
}

/// What a volume becomes that was looked at: closed, with what is on it.
///
/// Where it was written, a tape file as long as the one before can be another one: only those below `untouched` keep
/// a digest that nobody computed anew.
pub(super) fn record(
    volume: &mut Volume,
    files: &mut Vec<TapeFile>,
    contents: &Contents,
    untouched: u64,
    now: u64,
    order: &Order,
) -> Result<Vec<Change>, Error> {
    let mut changes = Vec::new();
    if volume.opening == Opening::Open {
        changes.push(volume.opening.become_opening(Opening::Closed, order)?);
        volume.opening = Opening::Closed;
    }
    let is_rewritten = volume.image_generation != Some(contents.generation);
    if is_rewritten {
        let next = volume.generation + 1;
        let words = |number: u64| Some(number.to_string());
        let (from, to) = (words(volume.generation), words(next));
        changes.push(Change::new(Subject::Generation, from, to, order));
        volume.generation = next;
        volume.image_generation = Some(contents.generation);
        for file in files.iter_mut().filter(|file| file.number >= untouched) {
            file.digest = None;
        }
    }
    let found = contents.files.clone();
    let found = match is_rewritten {
        true => found,
        false => undecided(files, found),
    };
    let after = files_after(files, found);
    for file in &after {
        let before = files.iter().find(|before| before.number == file.number);
        // Where another file is now, the old one is gone, which is no transition.
        if let Some(before) = before
            && before.state != file.state
            && is_same(before, file)
        {
            let order = Order::system(match file.state.is_faulty() {
                true => "it could not be read",
                false => "it was read again",
            });
            changes.push(before.state.become_state(file.state, file.number, &order)?);
        }
    }
    *files = after;
    if volume.category == Category::Scratch && !files.is_empty() && is_rewritten {
        let order = Order::system("it was written");
        changes.push(volume.category.become_category(Category::Private, &order)?);
        volume.category = Category::Private;
    }
    changes.extend(block_for_trouble(volume, contents, now)?);
    Ok(changes)
}

/// What was found on an image that was not written since, with what is known of the files that a person has decided of:
/// how many blocks of a damaged file are found depends on how it was looked at.
fn undecided(known: &[TapeFile], found: Vec<TapeFile>) -> Vec<TapeFile> {
    let decided = |file: &&TapeFile| matches!(file.state, FileState::Lost | FileState::Released);
    let same = |found: TapeFile| {
        let mut decided = known.iter().filter(decided);
        let before = decided.find(|before| before.number == found.number);
        before.cloned().unwrap_or(found)
    };
    found.into_iter().map(same).collect()
}

/// A volume of which something can't be read is blocked by the system, until a person says otherwise.
pub(super) fn block_for_trouble(
    volume: &mut Volume,
    contents: &Contents,
    now: u64,
) -> Result<Vec<Change>, Error> {
    match contents.trouble() {
        Some(trouble) if volume.availability == Availability::Ok => {
            let order = Order::system(trouble);
            let change = volume
                .availability
                .become_availability(Availability::NoAccess, &order)?;
            volume.availability = Availability::NoAccess;
            volume.block = Some(Block {
                by: Actor::System,
                reason: order.reason,
                since_ms: now,
            });
            Ok(vec![change])
        }
        Some(_) | None => Ok(Vec::new()),
    }
}

fn blank(label: Label, parameters: &CreateParameters, category: Category, now: u64) -> Volume {
    Volume {
        label,
        identity: parameters.header.volume,
        category,
        availability: Availability::Ok,
        block: None,
        opening: Opening::Closed,
        generation: 0,
        image: None,
        image_generation: None,
        added_ms: now,
    }
}

fn expect_free(rows: Rows<'_>, label: &Label) -> Result<(), Error> {
    match rows.find(label)? {
        Some(_) => Err(Error::LabelTaken {
            label: label.clone(),
        }),
        None => Ok(()),
    }
}

fn next_label(rows: Rows<'_>, scheme: &Scheme) -> Result<Label, Error> {
    let last = rows.last_label(&scheme.glob())?;
    let last = last.and_then(|label| scheme.number(&label));
    let next = scheme.label(last.map_or(1, |last| last + 1));
    next.ok_or_else(|| Error::SchemeUsedUp {
        scheme: scheme.to_string(),
    })
}

/// As the image calls itself, or as its file is called.
fn own_label(taking: &Taking) -> Result<Label, Error> {
    let stem = taking.image.file_stem().and_then(|stem| stem.to_str());
    let names = [
        Some(taking.contents.barcode.as_str()),
        Some(taking.contents.label.as_str()),
        stem,
    ];
    let mut labels = names.iter().flatten().filter_map(|name| name.parse().ok());
    labels.next().ok_or_else(|| Error::Unfit {
        path: taking.image.clone(),
        why: "neither it nor its file has a name that can be a label: --label says one".to_owned(),
    })
}

/// The name of a new volume's image. A volume that had the label before keeps its image's name, and then the name is
/// that of the identity.
fn image_name(rows: Rows<'_>, label: &Label, identity: &str) -> Result<String, Error> {
    let name = |stem: &str| format!("{stem}.ptape");
    match label.file_stem().map(name) {
        Some(by_label) if !rows.has_image(&by_label)? => Ok(by_label),
        Some(_) | None => Ok(name(identity)),
    }
}

/// Gives an image its name in the vault. The name that it had is still there, and is returned.
fn settle(
    taking: &Taking,
    place: &Place,
    rows: Rows<'_>,
    label: &Label,
) -> Result<(String, Option<PathBuf>), Error> {
    let image = &fs::canonicalize(&taking.image)
        .map_err(|error| Error::host("find", &taking.image, error))?;
    let images = fs::canonicalize(&place.images)
        .map_err(|error| Error::host("find", &place.images, error))?;
    let own_name = image.file_name().and_then(|name| name.to_str());
    if image.parent() == Some(&images)
        && let Some(name) = own_name
    {
        return Ok((name.to_owned(), None));
    }
    let name = image_name(rows, label, &taking.contents.identity.to_string())?;
    let path = images.join(&name);
    match fs::hard_link(image, &path) {
        Ok(()) => {}
        // An earlier try got as far as this.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && is_one_file(image, &path) => {
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            return Err(unknown_there(&path));
        }
        Err(error) if error.kind() == io::ErrorKind::CrossesDevices => {
            return Err(Error::Unfit {
                path: image.clone(),
                why: format!(
                    "it is on another file system than the vault: copy it first ('pseudotape copy {word} {copy_word}'), and add the copy",
                    word = shell_word(image),
                    copy_word = shell_word(path)
                ),
            });
        }
        Err(error) => return Err(Error::host("give a name in the vault to", image, error)),
    }
    let synced = File::open(&images).and_then(|folder| folder.sync_all());
    synced.map_err(|error| Error::host("commit", images, error))?;
    Ok((name, Some(image.clone())))
}

/// Whether two names lead to one file.
pub(super) fn is_one_file(one: &Path, other: &Path) -> bool {
    let inode = |path: &Path| fs::metadata(path).map(|file| (file.dev(), file.ino()));
    matches!((inode(one), inode(other)), (Ok(one), Ok(other)) if one == other)
}

/// Whether two paths are one name.
fn is_one_name(one: &Path, other: &Path) -> bool {
    let place = |path: &Path| {
        let folder = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty());
        let folder = fs::canonicalize(folder.unwrap_or(Path::new(".")));
        folder.map(|folder| (folder, path.file_name().map(ToOwned::to_owned)))
    };
    matches!((place(one), place(other)), (Ok(one), Ok(other)) if one == other)
}
