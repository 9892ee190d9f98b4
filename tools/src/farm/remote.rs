//! The commands for a farm of another host. What they print is what they print of one of this host.

use std::cell::RefCell;
use std::ffi::OsString;
use std::io::{self, Read};
use std::path::PathBuf;
use std::rc::Rc;

use anyhow::{Context, bail};
use pseudotape_farm::{Entry, Existing, Keeping, Title, Told, VolumeName};
use pseudotape_farm_net::How as Verb;
use pseudotape_farm_net::{
    AddOrder, Client, Error, MergeOrder, Place, Reached, ReleaseOrder, WrongFile,
};
use pseudotape_farm_script::{At, FileWords, Script, TitleWords};
use pseudotape_human::Screen;

use super::adding::{AddedFiles, How, all_there, open};
use super::config::Settings;
use super::lending::Sources;
use super::listing::KeptReport;
use super::reaching::reach;
use super::reading::{ExtractedFiles, RebuiltVolume, ShownFinding, Verified, ensure_folder};
use super::releasing::ReleasedFiles;
use super::repairing::RepairedVolume;
use super::running;
use super::script;
use super::shown::{FileList, OneFile, ShownVolume, VolumeList, set_bad};
use super::tapes::{self, TapeFile};
use crate::Verdict;
use crate::cli::{
    AddFiles, AnnotateFile, Changing, Compression, ExtractFiles, FarmCommand, FarmOptions,
    ListFarm, MergeVerb, MergeVolumes, RebuildVolume, Referring, ReleaseFiles, RepairVolume,
    ShowFile, VerifyFiles, WriteFiles,
};

pub(super) fn run(
    options: &FarmOptions,
    settings: &Settings,
    place: &Place,
    screen: &Screen,
) -> anyhow::Result<Verdict> {
    let client = || {
        let mut client = reach(&options.rsh, settings, place)?;
        settings.tell_whose(&mut client)?;
        Ok(client)
    };
    let here = |what: &str| {
        bail!("'{what}' is for the farm's host: run it there, with --root and the path there")
    };
    match &options.command {
        FarmCommand::Copy(add) => add_files(add, How::Copy, settings, place, client, screen),
        FarmCommand::Add(add) => add_files(add, How::Add, settings, place, client, screen),
        FarmCommand::CompareAdd(add) => {
            add_files(add, How::CompareAdd, settings, place, client, screen)
        }
        FarmCommand::Merge(merge) => {
            let farm = Farm {
                settings,
                place,
                rsh: &options.rsh,
            };
            merge_volumes(merge, farm, client()?, screen)
        }
        FarmCommand::Ls(ls) => list(ls, client()?, screen),
        FarmCommand::Show(show) => show_file(show, client()?, screen),
        FarmCommand::Extract(extract) => extract_files(extract, client()?, screen),
        FarmCommand::Verify(verify) => verify_files(verify, client()?, screen),
        FarmCommand::Release(release) => release_files(release, settings, client()?, screen),
        FarmCommand::Annotate(note) => annotate_file(note, settings, client()?, screen),
        FarmCommand::Rebuild(rebuild) => rebuild_volume(rebuild, settings, client()?, screen),
        FarmCommand::Repair(repair) => repair_volume(repair, settings, client()?, screen),
        FarmCommand::Remote(command) => running::run(command, client()?, screen),
        FarmCommand::Acl(_) => here("farm acl"),
        FarmCommand::Config(_) => here("farm config"),
        FarmCommand::Write(write) => write_files(write, client()?, screen),
        FarmCommand::Refs(_)
        | FarmCommand::Refer(_)
        | FarmCommand::Purge(_)
        | FarmCommand::Serial(_)
        | FarmCommand::DropOriginal(_)
        | FarmCommand::Autorestore(_) => here("farm refs"),
    }
}

fn verb(how: How) -> Verb {
    match how {
        How::Copy => Verb::Copy,
        How::Add => Verb::Add,
        How::CompareAdd => Verb::CompareAdd,
    }
}

fn add_files(
    options: &AddFiles,
    how: How,
    settings: &Settings,
    place: &Place,
    client: impl FnOnce() -> anyhow::Result<Client>,
    screen: &Screen,
) -> anyhow::Result<Verdict> {
    all_there(options, how)?;
    let script = script::of(settings)?;
    without_references(&options.referring)?;
    let tape = options.from.as_ref().map(|from| -> anyhow::Result<_> {
        let mut tape = TapeFile::open(from, options.file)?;
        tape.begin()?;
        Ok(Rc::new(RefCell::new(tape)))
    });
    let tape = tape.transpose()?;
    let archive = options.tar.as_deref().map(open).transpose()?;
    let order = AddOrder {
        volume: options.volume.clone(),
        how: verb(how),
        keeping: match options.changing {
            Changing::Keep => Keeping::Changed,
            Changing::Missing => Keeping::Missing,
        },
        lock_wait: settings.lock_wait().as_secs(),
        check_present: options.check_present,
        compressed: settings.compression.value,
        paths: options.paths.clone(),
        archive: match &tape {
            Some(tape) => Some(Box::new(OnItsWay(Rc::clone(tape)))),
            None => archive,
        },
        capsules: None,
    };
    let mut added = AddedFiles::of(&options.volume, "added", options.verbose);
    let mut client = client()?;
    making(&mut client, options.structured, options.compression)?;
    let done = client.add(order, &mut |told| added.note(told));
    tell(&mut added, script.as_ref(), place);
    let verdict = show_added(added, done, how, screen)?;
    if let Some(tape) = tape.and_then(Rc::into_inner) {
        tape.into_inner().finish()?;
    }
    Ok(verdict)
}

/// A tape file whose archive goes to the other host; this host goes behind it when it has arrived.
struct OnItsWay(Rc<RefCell<TapeFile>>);

impl Read for OnItsWay {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.borrow_mut().read(buffer)
    }
}

fn merge_volumes(
    options: &MergeVolumes,
    farm: Farm<'_>,
    mut client: Client,
    screen: &Screen,
) -> anyhow::Result<Verdict> {
    let Farm {
        settings, place, ..
    } = farm;
    without_list(options.list.is_some())?;
    let script = script::of(settings)?;
    without_references(&options.referring)?;
    let how = match options.verb {
        MergeVerb::Copy => How::Copy,
        MergeVerb::Add => How::Add,
        MergeVerb::CompareAdd => How::CompareAdd,
    };
    if options.source_root.is_some() {
        return merge_from(options, how, farm, client, script.as_ref(), screen);
    }
    making(&mut client, options.structured, options.compression)?;
    let order = MergeOrder {
        volume: options.volume.clone(),
        sources: options.sources.clone(),
        how: verb(how),
        lock_wait: settings.lock_wait().as_secs(),
        check_present: options.check_present,
        compressed: settings.compression.value,
    };
    let mut added = AddedFiles::of(&options.volume, "recorded", options.verbose);
    let done = client.merge(&order, |told| added.note(told));
    // The script finds the volume free, and nobody waits for a client that waits for it.
    drop(client);
    tell(&mut added, script.as_ref(), place);
    show_added(added, done, how, screen)
}

/// A farm of another host, as it is reached.
#[derive(Clone, Copy)]
struct Farm<'a> {
    settings: &'a Settings,
    place: &'a Place,
    rsh: &'a OsString,
}

/// Merges volumes of a farm that is elsewhere: what they have goes through this host.
fn merge_from(
    options: &MergeVolumes,
    how: How,
    farm: Farm<'_>,
    mut client: Client,
    script: Option<&Script>,
    screen: &Screen,
) -> anyhow::Result<Verdict> {
    let Farm {
        settings,
        place,
        rsh,
    } = farm;
    let sources = Sources::of(options, None, settings, rsh)?;
    let mut notes = sources.notes();
    making(&mut client, options.structured, options.compression)?;
    let order = AddOrder {
        volume: options.volume.clone(),
        how: verb(how),
        keeping: Keeping::Changed,
        lock_wait: settings.lock_wait().as_secs(),
        check_present: options.check_present,
        compressed: settings.compression.value,
        paths: Vec::new(),
        archive: None,
        capsules: Some(sources.capsules()),
    };
    let mut added = AddedFiles::of(&options.volume, "recorded", options.verbose);
    let mut noted = Vec::new();
    let done = client.add(order, &mut |told| {
        if let Told::Added(entry) | Told::Replaced(entry) = &told
            && let Some(note) = notes.remove(&entry.title)
        {
            noted.push((entry.title.clone(), note));
        }
        added.note(told);
    });
    let noted = match noted.is_empty() {
        true => Ok(()),
        false => annotate_all(options, farm, noted),
    };
    tell(&mut added, script, place);
    let verdict = show_added(added, done, how, screen)?;
    noted.context("the files are in the volume, and not all that was noted about them")?;
    Ok(verdict)
}

/// Notes about files that came: they do not travel with them.
fn annotate_all(
    options: &MergeVolumes,
    farm: Farm<'_>,
    noted: Vec<(Title, String)>,
) -> anyhow::Result<()> {
    let mut client = reach(farm.rsh, farm.settings, farm.place)?;
    farm.settings.tell_whose(&mut client)?;
    let wait = farm.settings.lock_wait().as_secs();
    for (title, note) in noted {
        client.annotate(&options.volume, &title, Some(note), wait)?;
    }
    Ok(())
}

/// Tells the script of this host of what is in the volume now, also where the link was cut. It runs here: a client has
/// nothing run at the farm's host but what that offers ('farm remote').
fn tell(added: &mut AddedFiles, script: Option<&Script>, place: &Place) {
    let root = place.to_string();
    added.tell(script, At::There(&root));
}

/// A list is called as the catalog has the volume, which is at the farm's host.
fn without_list(list: bool) -> anyhow::Result<()> {
    match list {
        true => bail!("--list is for a farm of this host: run the command there; nothing was done"),
        false => Ok(()),
    }
}

/// Says what is wanted of the volume, where somebody says it.
fn making(
    client: &mut Client,
    structured: bool,
    compression: Option<Compression>,
) -> anyhow::Result<()> {
    let compression = compression.map(|said| said == Compression::On);
    if structured || compression.is_some() {
        client.making(structured, compression, None)?;
    }
    Ok(())
}

/// References are in the catalog of a vault, which is asked before and behind each batch of files.
fn without_references(referring: &Referring) -> anyhow::Result<()> {
    match referring.is_wanted() {
        true => bail!(
            "--backup and --catalog are for a farm of this host: run the command there, where the farm is; nothing was changed"
        ),
        false => Ok(()),
    }
}

/// Shows what was done, also where a link was cut: that is in the volume.
fn show_added(
    mut added: AddedFiles,
    done: Result<(), Error>,
    how: How,
    screen: &Screen,
) -> anyhow::Result<Verdict> {
    added.stopped = done.as_ref().err().map(ToString::to_string);
    if done.is_ok() || !added.is_empty() {
        screen.show(&added)?;
    }
    let is_cut = done.as_ref().is_err_and(Error::is_cut);
    match (is_cut, how) {
        (true, How::Copy) => done.context(
            "what was told as added is in the volume, and perhaps more: 'farm add' with the same words goes on",
        )?,
        (true, _) => done.context(
            "what was told as added is in the volume, and perhaps more: the same command goes on",
        )?,
        (false, _) => done?,
    }
    Ok(added.verdict())
}

fn list(options: &ListFarm, mut client: Client, screen: &Screen) -> anyhow::Result<Verdict> {
    match &options.volume {
        None => {
            let volumes = client.volumes()?.into_iter();
            let volumes = volumes.map(|line| ShownVolume {
                volume: line.volume.to_string(),
                files: line.inside.map(|inside| inside.files),
                bytes: line.inside.map(|inside| inside.bytes),
                compressed: line.inside.map(|inside| inside.compressed),
                trouble: line.trouble,
            });
            screen.show(&VolumeList {
                volumes: volumes.collect(),
            })?;
        }
        Some(name) => {
            let mut verdict = Verdict::Well;
            let files = match options.check {
                true => client.check(name, &options.titles)?,
                false => {
                    let files = client.files(name, &options.titles)?.into_iter();
                    files.map(|entry| (entry, None)).collect()
                }
            };
            let files = files.into_iter().map(|(entry, bad)| {
                let mut file = FileWords::new(&entry);
                if let Some(why) = bad {
                    set_bad(&mut file, why);
                    verdict = Verdict::Found;
                }
                file
            });
            screen.show(&FileList {
                volume: name.to_string(),
                files: files.collect(),
            })?;
            return Ok(verdict);
        }
    }
    Ok(Verdict::Well)
}

fn show_file(options: &ShowFile, mut client: Client, screen: &Screen) -> anyhow::Result<Verdict> {
    let shown = client.show(&options.volume, &options.title)?;
    show_one(&options.volume, &shown, options.all, screen)
}

fn show_one(
    volume: &VolumeName,
    (path, entry): &(PathBuf, Entry),
    all: bool,
    screen: &Screen,
) -> anyhow::Result<Verdict> {
    screen.show(&OneFile {
        volume: volume.to_string(),
        path: path.display().to_string(),
        file: FileWords::new(entry),
        all,
    })?;
    Ok(Verdict::Well)
}

fn annotate_file(
    options: &AnnotateFile,
    settings: &Settings,
    mut client: Client,
    screen: &Screen,
) -> anyhow::Result<Verdict> {
    let (volume, wait) = (&options.volume, settings.lock_wait().as_secs());
    let noted = client.annotate(volume, &options.title, options.note.clone(), wait)?;
    show_one(volume, &noted, false, screen)
}

fn rebuild_volume(
    options: &RebuildVolume,
    settings: &Settings,
    mut client: Client,
    screen: &Screen,
) -> anyhow::Result<Verdict> {
    let mut rebuilt = RebuiltVolume::of(&options.volume);
    let wait = settings.lock_wait().as_secs();
    client.rebuild(&options.volume, wait, |told| rebuilt.note(told))?;
    screen.show(&rebuilt)?;
    Ok(rebuilt.verdict())
}

fn repair_volume(
    options: &RepairVolume,
    settings: &Settings,
    mut client: Client,
    screen: &Screen,
) -> anyhow::Result<Verdict> {
    let mut repaired = RepairedVolume::of(options);
    let wait = settings.lock_wait().as_secs();
    client.repair(&options.volume, repaired.how(), wait, |found| {
        let (remedy, done) = (found.remedy, found.done);
        repaired.note(finding(found.wrong), remedy, found.obstacle, done);
    })?;
    screen.show(&repaired)?;
    Ok(repaired.verdict())
}

/// The archive goes to tapes of this host.
fn write_files(
    options: &WriteFiles,
    mut client: Client,
    screen: &Screen,
) -> anyhow::Result<Verdict> {
    // What is wrong with the titles is said before a tape is touched.
    client.files(&options.volume, &options.titles)?;
    tapes::write(options, screen, |put, tell| {
        let (volume, titles) = (&options.volume, &options.titles);
        client.write(volume, titles, options.prefix.as_ref(), put, tell)
    })
}

fn extract_files(
    options: &ExtractFiles,
    mut client: Client,
    screen: &Screen,
) -> anyhow::Result<Verdict> {
    let existing = match options.overwrite {
        true => Existing::Replaced,
        false => Existing::Kept,
    };
    ensure_folder(&options.directory)?;
    let entries = client.files(&options.volume, &options.titles)?;
    let mut done = ExtractedFiles::of(options);
    let (volume, folder) = (&options.volume, &options.directory);
    let extracted = client.extract(
        volume,
        &entries,
        folder,
        existing,
        &mut |entry, extracted| {
            done.note(entry, extracted);
        },
    );
    screen.show(&done)?;
    match extracted.as_ref().is_err_and(Error::is_cut) {
        true => extracted
            .context("what was extracted is whole, and of the rest there is nothing: the same command goes on")?,
        false => extracted?,
    }
    Ok(done.verdict())
}

fn verify_files(
    options: &VerifyFiles,
    mut client: Client,
    screen: &Screen,
) -> anyhow::Result<Verdict> {
    without_list(options.list.is_some())?;
    let report = KeptReport::begin(options.report.as_deref())?;
    let mut verified = Verified::of(&options.volume);
    client.verify(&options.volume, &options.titles, |reached| match reached {
        Reached::Sound(entry) => verified.note_whole(&entry),
        Reached::Wrong(wrong) => verified.findings.push(finding(wrong)),
    })?;
    verified.told(report, screen)
}

fn finding(wrong: WrongFile) -> ShownFinding {
    let known = ["damaged", "unlisted", "leftover", "directory", "folder"];
    let what = known.into_iter().find(|known| *known == wrong.what);
    ShownFinding {
        file: wrong.file,
        what: what.unwrap_or("foreign"),
        title: wrong.title.as_ref().map(TitleWords::new),
        why: wrong.why,
    }
}

fn release_files(
    options: &ReleaseFiles,
    settings: &Settings,
    mut client: Client,
    screen: &Screen,
) -> anyhow::Result<Verdict> {
    let order = ReleaseOrder {
        volume: options.volume.clone(),
        titles: options.titles.clone(),
        by: options.by.clone(),
        lock_wait: settings.lock_wait().as_secs(),
    };
    let mut done = ReleasedFiles::of(options);
    let after = client.release(&order, |told| done.note(told))?;
    done.note_after(after);
    screen.show(&done)?;
    Ok(done.verdict())
}
