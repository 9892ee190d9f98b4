//! `ls`, `show`, `extract`, `verify` and `rebuild`.

use std::mem::ManuallyDrop;
use std::path::Path;

use anyhow::{Context, ensure};
use pseudotape_farm::{
    Damage, Entry, Existing, Extracted, Finding, Rebuilt, Root, Volume, VolumeName,
};
use pseudotape_farm_script::{FileWords, TitleWords};
use pseudotape_human::{Paint, Report, Screen, counted, printable};
use serde::Serialize;

use super::listing::{KeptReport, ListFile};
use super::referring::Asked;
use super::shown::{FileList, OneFile, ShownVolume, VolumeList, named, set_bad, text_of};
use crate::Verdict;
use crate::cli::{AnnotateFile, ExtractFiles, ListFarm, RebuildVolume, ShowFile, VerifyFiles};

pub(super) fn list(options: &ListFarm, root: &Root, screen: &Screen) -> anyhow::Result<Verdict> {
    let Some(name) = &options.volume else {
        let mut volumes = Vec::new();
        for name in root.volumes()? {
            let looked = root.look(&name);
            let entries = looked
                .as_ref()
                .ok()
                .map(|volume| volume.directory().entries());
            volumes.push(ShownVolume {
                volume: name.to_string(),
                files: entries.map(|entries| entries.len() as u64),
                bytes: entries.map(|entries| entries.iter().map(|entry| entry.length).sum()),
                compressed: looked
                    .as_ref()
                    .ok()
                    .map(|volume| volume.directory().marks().compressed),
                trouble: looked.as_ref().err().map(ToString::to_string),
            });
        }
        screen.show(&VolumeList { volumes })?;
        return Ok(Verdict::Well);
    };
    let volume = root.look_for(name, &options.titles)?;
    // The command ends with it. To give back its memory, file by file, would take half as long as the rest of the work.
    let volume = ManuallyDrop::new(volume);
    let chosen;
    let entries = match &options.titles[..] {
        [] => volume.directory().entries(),
        titles => {
            chosen = volume.chosen(titles)?;
            &chosen
        }
    };
    if !options.check && !screen.is_json() {
        let text = text_of(name.as_str(), entries, screen);
        screen.print(text.as_bytes())?;
        return Ok(Verdict::Well);
    }
    let mut files = Vec::new();
    let mut verdict = Verdict::Well;
    for entry in entries {
        let mut file = FileWords::new(entry);
        if options.check
            && let Err(fault) = volume.look_at(entry)
        {
            set_bad(&mut file, fault.to_string());
            verdict = Verdict::Found;
        }
        files.push(file);
    }
    let volume = name.to_string();
    screen.show(&FileList { volume, files })?;
    Ok(verdict)
}

pub(super) fn show(options: &ShowFile, root: &Root, screen: &Screen) -> anyhow::Result<Verdict> {
    let volume = root.look_for(&options.volume, std::slice::from_ref(&options.title))?;
    let entry = volume.directory().find(&options.title);
    let entry =
        entry.with_context(|| format!("{} is not in volume {}", options.title, options.volume))?;
    show_one(&options.volume, &volume, entry, options.all, screen)
}

fn show_one(
    name: &VolumeName,
    volume: &Volume,
    entry: &Entry,
    all: bool,
    screen: &Screen,
) -> anyhow::Result<Verdict> {
    screen.show(&OneFile {
        volume: name.to_string(),
        path: volume.capsule_path(entry.number).display().to_string(),
        file: FileWords::new(entry),
        all,
    })?;
    Ok(Verdict::Well)
}

pub(super) fn annotate(
    options: &AnnotateFile,
    root: Root,
    screen: &Screen,
) -> anyhow::Result<Verdict> {
    let (volume, note) = (&options.volume, options.note.clone());
    let entry = pseudotape_farm::annotate(&root, volume, &options.title, note)?;
    show_one(volume, &root.look(volume)?, &entry, false, screen)
}

/// What became of the files.
#[derive(Debug, Serialize)]
pub(super) struct ExtractedFiles {
    volume: String,
    extracted: Vec<TitleWords>,
    /// Some of their attributes could not be given to them.
    incomplete: Vec<Failed>,
    failed: Vec<Failed>,
    #[serde(skip)]
    verbose: bool,
}

#[derive(Debug, Serialize)]
struct Failed {
    #[serde(flatten)]
    title: TitleWords,
    why: String,
}

impl Report for ExtractedFiles {
    fn text(&self, screen: &Screen) -> String {
        let line = |paint, failed: &Failed| {
            let why = screen.paint(paint, &printable(&failed.why));
            format!("{}: {why}", failed.title.words())
        };
        let mut text = String::new();
        let failed = self.failed.iter().map(|failed| line(Paint::Bad, failed));
        text += &named(&failed.collect::<Vec<_>>(), true);
        let notes = self
            .incomplete
            .iter()
            .map(|failed| line(Paint::Notice, failed));
        text += &named(&notes.collect::<Vec<_>>(), self.verbose);
        if self.verbose {
            let titles = self.extracted.iter().map(TitleWords::words);
            text += &named(&titles.collect::<Vec<_>>(), true);
        }
        let volume = screen.paint(Paint::Heading, &printable(&self.volume));
        text += &format!(
            "{volume}: {} extracted",
            counted(self.extracted.len() as u64, "file")
        );
        if !self.failed.is_empty() {
            text += &format!(", {} not", self.failed.len());
        }
        text + "\n"
    }
}

pub(super) fn extract(
    options: &ExtractFiles,
    root: &Root,
    screen: &Screen,
) -> anyhow::Result<Verdict> {
    let volume = root.look_for(&options.volume, &options.titles)?;
    ensure_folder(&options.directory)?;
    let existing = match options.overwrite {
        true => Existing::Replaced,
        false => Existing::Kept,
    };
    let mut done = ExtractedFiles::of(options);
    for entry in volume.chosen(&options.titles)? {
        let extracted = pseudotape_farm::extract(&volume, &entry, &options.directory, existing);
        done.note(&entry, extracted);
    }
    screen.show(&done)?;
    Ok(done.verdict())
}

/// The folder is never made: it may be a file system that is not mounted.
pub(super) fn ensure_folder(folder: &Path) -> anyhow::Result<()> {
    ensure!(
        folder.is_dir(),
        "there is no folder {} to extract into: make it first; nothing was extracted",
        folder.display()
    );
    Ok(())
}

impl ExtractedFiles {
    pub(super) fn of(options: &ExtractFiles) -> Self {
        ExtractedFiles {
            volume: options.volume.to_string(),
            extracted: Vec::new(),
            incomplete: Vec::new(),
            failed: Vec::new(),
            verbose: options.verbose,
        }
    }

    pub(super) fn note(&mut self, entry: &Entry, extracted: Extracted) {
        let title = TitleWords::new(&entry.title);
        let why = match extracted {
            Extracted::Done(notes) => {
                self.extracted.push(title.clone());
                if !notes.is_empty() {
                    let why = format!("without {}", notes.join(", "));
                    self.incomplete.push(Failed { title, why });
                }
                return;
            }
            Extracted::NotThere(state) => format!("not on {}: {}", self.volume, state.word()),
            Extracted::InTheWay => {
                "something has its name, and stays (--overwrite replaces it)".to_owned()
            }
            Extracted::Damaged(fault) => format!("its capsule is damaged: {fault}"),
            Extracted::Failed(error) => format!("can't be written: {error}"),
            _ => "not extracted".to_owned(),
        };
        self.failed.push(Failed { title, why });
    }

    pub(super) fn verdict(&self) -> Verdict {
        match self.failed.is_empty() && self.incomplete.is_empty() {
            true => Verdict::Well,
            false => Verdict::Found,
        }
    }
}

/// What a verification found.
#[derive(Debug, Serialize)]
pub(super) struct Verified {
    volume: String,
    whole: u64,
    bytes: u64,
    without_file: u64,
    /// Where the list of the volume is.
    list: Option<String>,
    /// Who changes the volume meanwhile: what is not finished is no finding.
    changing: Option<String>,
    pub findings: Vec<ShownFinding>,
}

#[derive(Debug, Serialize)]
pub(super) struct ShownFinding {
    pub file: String,
    pub what: &'static str,
    pub title: Option<TitleWords>,
    pub why: Option<String>,
}

impl ShownFinding {
    pub fn new(file: String, damage: Damage) -> Self {
        let (what, title, why) = match damage {
            Damage::Capsule(title, fault) => ("damaged", Some(title), Some(fault.to_string())),
            Damage::Unlisted(Ok(title)) => ("unlisted", Some(title), None),
            Damage::Unlisted(Err(fault)) => ("unlisted", None, Some(fault.to_string())),
            Damage::Leftover => ("leftover", None, None),
            Damage::Directory(why) => ("directory", None, Some(why)),
            Damage::NeverMade => {
                let why = "neither directory nor capsules are in it: no volume was made";
                ("folder", None, Some(why.to_owned()))
            }
            _ => ("foreign", None, None),
        };
        ShownFinding {
            file,
            what,
            title: title.as_ref().map(TitleWords::new),
            why,
        }
    }

    pub fn words(&self, screen: &Screen) -> String {
        let mut text = format!(
            "{}: {}",
            printable(&self.file),
            screen.paint(Paint::Bad, self.what)
        );
        if let Some(title) = &self.title {
            text += &format!(": {}", title.words());
        }
        if let Some(why) = &self.why {
            text += &format!(": {}", printable(why));
        }
        text
    }
}

impl Report for Verified {
    fn text(&self, screen: &Screen) -> String {
        let findings = self.findings.iter().map(|finding| finding.words(screen));
        let mut text = named(&findings.collect::<Vec<_>>(), true);
        let volume = screen.paint(Paint::Heading, &printable(&self.volume));
        text += &format!("{volume}: {} whole", counted(self.whole, "capsule"));
        if self.without_file > 0 {
            text += &format!(" ({} without their files)", self.without_file);
        }
        let bytes = pseudotape_human::HumanBytes(self.bytes);
        if let Some(list) = &self.list {
            text = format!("list: {}\n{text}", printable(list));
        }
        if let Some(who) = &self.changing {
            text += &format!(
                "{} is changing it: what that has not finished was left out\n",
                printable(who)
            );
        }
        text + &format!(
            "; {bytes}; {}\n",
            counted(self.findings.len() as u64, "finding")
        )
    }
}

pub(super) fn verify(
    options: &VerifyFiles,
    asked: &Asked<'_>,
    screen: &Screen,
) -> anyhow::Result<Verdict> {
    let volume = asked.root.look_for(&options.volume, &options.titles)?;
    let report = KeptReport::begin(options.report.as_deref())?;
    let mut list = ListFile::of(options.list.as_deref(), asked.serial, None, asked.settings)?;
    let mut verified = Verified::of(&options.volume);
    let mut tell = |finding| match finding {
        Finding::Whole(entry) => {
            verified.note_whole(&entry);
            if let Some(list) = &mut list {
                list.add(&entry);
            }
        }
        Finding::Wrong(file, damage) => verified.findings.push(ShownFinding::new(file, damage)),
        Finding::Changing(holder) => {
            let who = holder.map_or_else(|| "another command".to_owned(), |who| who.to_string());
            verified.changing = Some(who);
        }
        _ => {}
    };
    volume.verify(&volume.chosen(&options.titles)?, &mut tell);
    if options.titles.is_empty() {
        volume.find_foreign(&mut tell)?;
    }
    verified.list = list.map(ListFile::write).transpose()?;
    verified.told(report, screen)
}

impl Verified {
    pub(super) fn of(volume: &VolumeName) -> Self {
        Verified {
            volume: volume.to_string(),
            whole: 0,
            bytes: 0,
            without_file: 0,
            list: None,
            changing: None,
            findings: Vec::new(),
        }
    }

    /// Shows it, and keeps it where that is asked for.
    pub(super) fn told(
        &self,
        report: Option<KeptReport>,
        screen: &Screen,
    ) -> anyhow::Result<Verdict> {
        if let Some(report) = report {
            report.keep(self)?;
        }
        screen.show(self)?;
        Ok(self.verdict())
    }

    pub(super) fn note_whole(&mut self, entry: &Entry) {
        self.whole += 1;
        match entry.state.has_file() {
            true => self.bytes = self.bytes.saturating_add(entry.length),
            false => self.without_file += 1,
        }
    }

    fn verdict(&self) -> Verdict {
        match self.findings.is_empty() {
            true => Verdict::Well,
            false => Verdict::Found,
        }
    }
}

/// What a directory was made of.
#[derive(Debug, Serialize)]
pub(super) struct RebuiltVolume {
    volume: String,
    listed: u64,
    not_listed: Vec<ShownNotListed>,
}

#[derive(Debug, Serialize)]
struct ShownNotListed {
    file: String,
    why: String,
}

impl Report for RebuiltVolume {
    fn text(&self, screen: &Screen) -> String {
        let lines = self.not_listed.iter().map(|left| {
            let what = screen.paint(Paint::Bad, "not listed");
            format!(
                "{}: {what}: {}",
                printable(&left.file),
                printable(&left.why)
            )
        });
        let text = named(&lines.collect::<Vec<_>>(), true);
        let volume = screen.paint(Paint::Heading, &printable(&self.volume));
        text + &format!(
            "{volume}: a directory of {}\n",
            counted(self.listed, "capsule")
        )
    }
}

pub(super) fn rebuild(
    options: &RebuildVolume,
    root: Root,
    screen: &Screen,
) -> anyhow::Result<Verdict> {
    let mut rebuilt = RebuiltVolume::of(&options.volume);
    let mut tell = |told| rebuilt.note(told);
    let _: Volume = pseudotape_farm::rebuild(&root, &options.volume, &mut tell)?;
    screen.show(&rebuilt)?;
    Ok(rebuilt.verdict())
}

impl RebuiltVolume {
    pub(super) fn of(volume: &VolumeName) -> Self {
        RebuiltVolume {
            volume: volume.to_string(),
            listed: 0,
            not_listed: Vec::new(),
        }
    }

    pub(super) fn note(&mut self, told: Rebuilt) {
        match told {
            Rebuilt::Listed(_) => self.listed += 1,
            Rebuilt::Older(entry) => self.not_listed.push(ShownNotListed {
                file: pseudotape_farm::capsule_name(entry.number),
                why: format!("a capsule with a higher number has {}", entry.title),
            }),
            Rebuilt::Unusable(file, fault) => self.not_listed.push(ShownNotListed {
                file,
                why: fault.to_string(),
            }),
            _ => {}
        }
    }

    pub(super) fn verdict(&self) -> Verdict {
        match self.not_listed.is_empty() {
            true => Verdict::Well,
            false => Verdict::Found,
        }
    }
}
