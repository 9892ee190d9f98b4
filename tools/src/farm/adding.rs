//! `copy`, `add` and `compare-add`.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use anyhow::{Context, bail};
use pseudotape_farm::{
    Adding, Entry, Keeping, LeftOut, Looking, Registrar, Root, State, Title, Told, Verb, Volume,
    VolumeName,
};
use pseudotape_farm_script::{At, FileWords, Script, TitleWords};
use pseudotape_human::{HumanBytes, Paint, Report, Screen, counted, explain, printable};
use pseudotape_vault::{Serial, Unknown};
use serde::Serialize;

use super::lending::Sources;
use super::listing::ListFile;
use super::referring::{Asked, Ledger};
use super::script;
use super::shown::named;
use super::tapes::TapeFile;
use crate::Verdict;
use crate::cli::{AddFiles, Changing, Compression, MergeVerb, MergeVolumes};

/// Which verb.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum How {
    Copy,
    Add,
    CompareAdd,
}

/// What became of the files.
#[derive(Debug, Serialize)]
pub(super) struct AddedFiles {
    volume: String,
    added: Vec<FileWords>,
    replaced: Vec<FileWords>,
    present: Vec<TitleWords>,
    not_better: Vec<TitleWords>,
    left_out: Vec<ShownLeftOut>,
    mended: Vec<ShownMended>,
    /// Files that a killed command had committed, and that are in the directory now.
    adopted: Vec<FileWords>,
    /// The serial number of the volume, where files got references to it.
    serial: Option<String>,
    /// Files with a reference to the volume as a backup.
    cataloged: Vec<TitleWords>,
    /// Files with a reference to the volume in the archive.
    archived: Vec<TitleWords>,
    /// Files that the catalog has not, and that got no reference therefore.
    without_entry: Vec<TitleWords>,
    /// Where the list of the volume is.
    list: Option<String>,
    /// Why the script of the farm failed.
    script: Option<String>,
    /// What ended the command before all files were added.
    pub stopped: Option<String>,
    #[serde(skip)]
    bytes: u64,
    #[serde(skip)]
    word: &'static str,
    #[serde(skip)]
    verbose: bool,
}

#[derive(Debug, Serialize)]
struct ShownLeftOut {
    #[serde(flatten)]
    path: ShownPath,
    why: String,
}

/// A file whose capsule was gone or damaged.
#[derive(Debug, Serialize)]
struct ShownMended {
    #[serde(flatten)]
    title: TitleWords,
    why: String,
}

/// A path, of any bytes.
#[derive(Debug, Serialize)]
struct ShownPath {
    path: String,
}

impl AddedFiles {
    pub(super) fn of(volume: &VolumeName, word: &'static str, verbose: bool) -> Self {
        AddedFiles {
            volume: volume.to_string(),
            added: Vec::new(),
            replaced: Vec::new(),
            present: Vec::new(),
            not_better: Vec::new(),
            left_out: Vec::new(),
            mended: Vec::new(),
            adopted: Vec::new(),
            serial: None,
            cataloged: Vec::new(),
            archived: Vec::new(),
            without_entry: Vec::new(),
            list: None,
            script: None,
            stopped: None,
            bytes: 0,
            word,
            verbose,
        }
    }

    pub(super) fn note(&mut self, told: Told) {
        match told {
            Told::Added(entry) => self.note_there(&entry, false),
            Told::Replaced(entry) => self.note_there(&entry, true),
            Told::Present(title) => self.present.push(TitleWords::new(&title)),
            Told::NotBetter(title) => self.not_better.push(TitleWords::new(&title)),
            Told::LeftOut(left_out) => self.left_out.push(shown_left_out(&left_out)),
            Told::Mended(title, fault) => self.mended.push(ShownMended {
                title: TitleWords::new(&title),
                why: fault.to_string(),
            }),
            Told::Adopted(entry) => self.adopted.push(FileWords::new(&entry)),
            Told::ScriptFailed(why) => self.script = Some(why),
            _ => {}
        }
    }

    fn note_there(&mut self, entry: &Entry, replaced: bool) {
        if entry.state.has_file() {
            self.bytes = self.bytes.saturating_add(entry.length);
        }
        let list = if replaced {
            &mut self.replaced
        } else {
            &mut self.added
        };
        list.push(FileWords::new(entry));
    }

    fn note_adopted(&mut self, entries: &[Entry]) {
        self.adopted = entries.iter().map(FileWords::new).collect();
    }

    /// What became of references.
    pub(super) fn note_references(&mut self, ledger: Ledger) {
        let shown = |titles: Vec<Vec<u8>>| {
            let titles = titles
                .into_iter()
                .filter_map(|title| Title::new(&title[..]));
            titles.map(|title| TitleWords::new(&title)).collect()
        };
        self.serial = Some(ledger.serial.to_string());
        self.cataloged = shown(ledger.cataloged);
        self.archived = shown(ledger.archived);
        self.without_entry = shown(ledger.without_entry);
    }

    /// The messages of each reference (CW-34, CW-36, CW-39).
    fn reference_words(&self) -> String {
        let volume = printable(&self.volume);
        let lines = |titles: &[TitleWords], words: &str| -> Vec<String> {
            let line = |title: &TitleWords| format!("{} {words}", title.words());
            titles.iter().map(line).collect()
        };
        let cataloged = lines(&self.cataloged, &format!("cataloged on {volume}"));
        let archived = lines(&self.archived, &format!("archived on {volume}"));
        let without = lines(
            &self.without_entry,
            "not cataloged: the catalog has no entry of it ('merge --verb copy' makes one)",
        );
        [cataloged, archived, without]
            .iter()
            .map(|lines| named(lines, self.verbose))
            .collect()
    }

    /// Tells a script of all files that are in the volume now.
    pub(super) fn tell(&mut self, script: Option<&Script>, at: At<'_>) {
        let files = self.added.iter().chain(&self.replaced);
        let told = script.map_or(Ok(()), |script| script.tell(&self.volume, at, files));
        if let Err(failed) = told {
            self.script = Some(failed.to_string());
        }
    }

    /// Whether nothing became of any file.
    pub(super) fn is_empty(&self) -> bool {
        let files = self.added.len() + self.replaced.len();
        files + self.present.len() + self.not_better.len() + self.left_out.len() == 0
    }

    pub(super) fn verdict(&self) -> Verdict {
        let whole = |file: &FileWords| file.state == State::Ok.word();
        let all = self.added.iter().chain(&self.replaced).all(whole);
        match all && self.left_out.is_empty() && self.script.is_none() {
            true => Verdict::Well,
            false => Verdict::Found,
        }
    }
}

fn shown_left_out(left_out: &LeftOut) -> ShownLeftOut {
    use std::os::unix::ffi::OsStrExt;
    let path = left_out.path.as_os_str().as_bytes();
    let shown = Title::new(path).map(|title| title.to_string());
    let path = shown.unwrap_or_else(|| path.escape_ascii().to_string());
    ShownLeftOut {
        path: ShownPath { path },
        why: left_out.why.to_string(),
    }
}

impl Report for AddedFiles {
    fn text(&self, screen: &Screen) -> String {
        let mut text = String::new();
        let bad = |word: &str| screen.paint(Paint::Bad, word);
        let all = self.added.iter().chain(&self.replaced);
        let trouble: Vec<String> = all
            .filter(|file| file.state != State::Ok.word())
            .map(|file| match (file.state, &file.why) {
                ("changed", _) => format!(
                    "{}: {} while it was read",
                    file.title.words(),
                    bad("changed")
                ),
                (state, why) => {
                    let why = why.as_deref().unwrap_or_default();
                    format!("{}: {}: {}", file.title.words(), bad(state), printable(why))
                }
            })
            .collect();
        // What is wrong is named, however many there are.
        text += &named(&trouble, true);
        let left_out = self.left_out.iter().map(|left_out| {
            format!(
                "{}: {}: {}",
                left_out.path.path,
                bad("left out"),
                printable(&left_out.why)
            )
        });
        text += &named(&left_out.collect::<Vec<_>>(), true);
        let mended = self.mended.iter().map(|mended| {
            format!(
                "{}: {}: {}",
                mended.title.words(),
                screen.paint(Paint::Notice, "had no whole capsule, and has one now"),
                printable(&mended.why)
            )
        });
        text += &named(&mended.collect::<Vec<_>>(), true);
        let adopted = self.adopted.iter().map(|file| {
            let words = "was left by a command that was killed, and is in the directory now";
            format!("{} {words}", file.title.words())
        });
        text += &named(&adopted.collect::<Vec<_>>(), self.verbose);
        let lines = |titles: &[TitleWords], why: &str| -> Vec<String> {
            titles
                .iter()
                .map(|title| format!("{} not added: {why}", title.words()))
                .collect()
        };
        text += &named(&lines(&self.present, "present"), self.verbose);
        text += &named(
            &lines(&self.not_better, "what is there is as good"),
            self.verbose,
        );
        if self.verbose {
            let added = self
                .added
                .iter()
                .map(|file| format!("{} {}", file.title.words(), self.word));
            text += &named(&added.collect::<Vec<_>>(), true);
            let replaced = self
                .replaced
                .iter()
                .map(|file| format!("{} replaced", file.title.words()));
            text += &named(&replaced.collect::<Vec<_>>(), true);
        }
        text += &self.reference_words();
        if let Some(list) = &self.list {
            text += &format!("list: {}\n", printable(list));
        }
        if let Some(why) = &self.script {
            let what = screen.paint(Paint::Bad, "the script failed");
            text += &format!("{what}: {}\n", printable(why));
        }
        let mut counts = vec![format!(
            "{} added",
            counted(self.added.len() as u64, "file")
        )];
        for (list, word) in [
            (self.replaced.len(), "replaced"),
            (self.present.len(), "present"),
            (self.not_better.len(), "not better"),
            (self.left_out.len(), "left out"),
            (self.mended.len(), "mended"),
            (self.adopted.len(), "taken in"),
        ] {
            if list > 0 {
                counts.push(format!("{list} {word}"));
            }
        }
        let volume = screen.paint(Paint::Heading, &printable(&self.volume));
        text + &format!(
            "{volume}: {}; {}\n",
            counts.join(", "),
            HumanBytes(self.bytes)
        )
    }
}

pub(super) fn run(
    options: &AddFiles,
    how: How,
    asked: &Asked<'_>,
    screen: &Screen,
) -> anyhow::Result<Verdict> {
    all_there(options, how)?;
    // Before a volume is made.
    let archive = options.tar.as_deref().map(open).transpose()?;
    let mut tape = match &options.from {
        Some(from) => Some(TapeFile::open(from, options.file)?),
        None => None,
    };
    if let Some(tape) = &mut tape {
        tape.begin()?;
    }
    let adds = Adds {
        name: &options.volume,
        how,
        keeping: match options.changing {
            Changing::Keep => Keeping::Changed,
            Changing::Missing => Keeping::Missing,
        },
        looking: looking(options.check_present),
        compression: options.compression,
        structured: options.structured,
        script: script::of(asked.settings)?,
        ledger: Ledger::open(&options.referring, asked, &options.volume, Unknown::Entered)?,
        list: None,
        asked,
        word: "added",
        tape: tape.as_ref().map(TapeFile::name),
        verbose: options.verbose,
    };
    let verdict = adds.run(asked.root, screen, |adding| {
        for path in &options.paths {
            adding.path(path)?;
        }
        match (archive, &mut tape) {
            (Some(archive), _) => adding.archive(archive)?,
            (None, Some(tape)) => adding.archive(tape)?,
            (None, None) => {}
        }
        Ok(None)
    })?;
    if let Some(tape) = tape {
        tape.finish()?;
    }
    Ok(verdict)
}

pub(super) fn merge(
    options: &MergeVolumes,
    asked: &Asked<'_>,
    screen: &Screen,
) -> anyhow::Result<Verdict> {
    // All of them are there before a volume is made.
    let mut sources = Sources::of(options, Some(asked.root), asked.settings, asked.rsh)?;
    if options.list.is_some() && asked.serial.is_none() && !options.referring.catalog {
        bail!(
            "--list needs the serial number of the volume: say --serial SERIAL; nothing was done"
        );
    }
    // CW-37, CW-38: only a copy makes the entry of a file that the catalog has not.
    let unknown = match options.verb {
        MergeVerb::Copy => Unknown::Entered,
        MergeVerb::Add | MergeVerb::CompareAdd => Unknown::LeftOut,
    };
    let adds = Adds {
        name: &options.volume,
        how: match options.verb {
            MergeVerb::Copy => How::Copy,
            MergeVerb::Add => How::Add,
            MergeVerb::CompareAdd => How::CompareAdd,
        },
        keeping: Keeping::Changed,
        looking: looking(options.check_present),
        compression: options.compression,
        structured: options.structured,
        script: script::of(asked.settings)?,
        ledger: Ledger::open(&options.referring, asked, &options.volume, unknown)?,
        list: options.list.as_deref(),
        asked,
        word: "recorded",
        tape: None,
        verbose: options.verbose,
    };
    adds.run(asked.root, screen, |adding| sources.add(adding))
}

/// A command that adds files.
struct Adds<'a> {
    name: &'a VolumeName,
    how: How,
    keeping: Keeping,
    looking: Looking,
    compression: Option<Compression>,
    structured: bool,
    script: Option<Script>,
    /// Who writes references.
    ledger: Option<Ledger>,
    /// The folder of the list of the volume.
    list: Option<&'a Path>,
    asked: &'a Asked<'a>,
    /// What is said of each file that was added.
    word: &'static str,
    /// The tape that the archive is read from.
    tape: Option<String>,
    verbose: bool,
}

impl Adds<'_> {
    /// An error, with the tape that it is about.
    fn named(&self, error: pseudotape_farm::Error) -> anyhow::Error {
        match (&self.tape, &error) {
            (Some(tape), pseudotape_farm::Error::Archive(why))
                if !why.to_string().contains(tape.as_str()) =>
            {
                anyhow::Error::new(error).context(tape.clone())
            }
            _ => error.into(),
        }
    }

    /// A volume stays as it was made, and who asks for something else is to know that.
    fn check_marks(&self, volume: &Volume) -> anyhow::Result<()> {
        let is_compressed = volume.directory().marks().compressed;
        let (is, other) = match is_compressed {
            true => ("compressed", "off"),
            false => ("not compressed", "on"),
        };
        match self.compression {
            Some(said) if (said == Compression::On) != is_compressed => bail!(
                "volume {} is {is}, and stays as it was made: say it without --compression {other}; nothing was changed",
                self.name
            ),
            _ if self.structured && !volume.directory().marks().structured => bail!(
                "volume {} is not structured, and stays as it was made: say it without --structured; nothing was changed",
                self.name
            ),
            _ => Ok(()),
        }
    }

    /// Writes the list of the volume, where somebody wants one.
    fn listed(&self, serial: Option<&Serial>, entries: &[Entry]) -> anyhow::Result<Option<String>> {
        let serial = serial.or(self.asked.serial);
        let list = ListFile::of(self.list, serial, Some(self.name), self.asked.settings)?;
        let written = list.map(|mut list| {
            let with_files = entries.iter().filter(|entry| entry.state.has_file());
            with_files.for_each(|entry| list.add(entry));
            list.write()
        });
        written.transpose()
    }

    /// Opens or makes the volume, and shows what `add` did. What `add` returns ended it, and what came before is added.
    fn run(
        mut self,
        root: &Root,
        screen: &Screen,
        add: impl FnOnce(&mut Adding<'_>) -> Result<Option<anyhow::Error>, pseudotape_farm::Error>,
    ) -> anyhow::Result<Verdict> {
        let mut volume = match self.how {
            How::Copy => root.create(self.name)?,
            How::Add | How::CompareAdd => root.open_or_create(self.name)?,
        };
        self.check_marks(&volume)?;
        let mut added = AddedFiles::of(self.name, self.word, self.verbose);
        added.note_adopted(&volume.adopt()?);
        let mut ledger = self.ledger.take();
        if let Some(ledger) = &mut ledger
            && let Err(error) = ledger.begin(&mut volume)
        {
            volume.discard_if_new()?;
            return Err(error);
        }
        let verb = match self.how {
            How::Copy | How::Add => Verb::Add,
            How::CompareAdd => Verb::AddAndCompare,
        };
        let mut tell = |told| added.note(told);
        let mut adding = Adding::to(&mut volume, verb, self.keeping, &mut tell);
        let registrar = ledger.as_mut().map(|ledger| ledger as &mut dyn Registrar);
        adding = adding.looking(self.looking).registered(registrar);
        let done = add(&mut adding).and_then(|ended| adding.finish().map(|()| ended));
        let done = match done {
            Ok(None) => Ok(()),
            Ok(Some(ended)) => Err(ended),
            Err(error) => Err(self.named(error)),
        };
        added.stopped = done.as_ref().err().map(|error| explain(error.chain()));
        let path = volume.path().display().to_string();
        // CW-35: what is committed is in the directory.
        let entries_now = match self.list {
            Some(_) => volume.directory().entries().to_vec(),
            None => Vec::new(),
        };
        let entries = volume.directory().entries().iter();
        let capsules = entries.map(|entry| {
            let path = volume.capsule_path(entry.number).display().to_string();
            (entry.number.0.get(), path)
        });
        let capsules = self.script.as_ref().map(|_| capsules.collect());
        let discarded = match (&done, self.how) {
            // Somebody wants a volume of what is in an empty folder.
            (Ok(()), How::Copy) if added.left_out.is_empty() => {
                drop(volume);
                Ok(())
            }
            // A volume without a file would only be in the way of the next copy. Another one is free now: the script
            // finds it so.
            _ => volume.discard_if_new(),
        };
        let serial = ledger.as_ref().map(|ledger| ledger.serial.clone());
        if let Some(ledger) = ledger {
            added.note_references(ledger);
        }
        let listed = done
            .is_ok()
            .then(|| self.listed(serial.as_ref(), &entries_now));
        added.list = listed.transpose()?.flatten();
        let capsules = capsules.unwrap_or_default();
        let at = At::Here {
            path: &path,
            capsules: &capsules,
            served: None,
        };
        added.tell(self.script.as_ref(), at);
        screen.show(&added)?;
        match (done, discarded) {
            // What stopped the command is what has to be known first.
            (Err(error), Err(left)) => bail!("{error:#}; {left}"),
            (done, discarded) => done.and(discarded.map_err(Into::into))?,
        }
        Ok(added.verdict())
    }
}

fn looking(check_present: bool) -> Looking {
    match check_present {
        true => Looking::ToTheEnd,
        false => Looking::Opened,
    }
}

/// A mistyped path is not to leave a volume behind, onto which the right one can't be copied then.
pub(super) fn all_there(options: &AddFiles, how: How) -> anyhow::Result<()> {
    if how == How::Copy {
        for path in &options.paths {
            let found = std::fs::symlink_metadata(path);
            found
                .with_context(|| format!("can't look at {}; no volume was made", path.display()))?;
        }
    }
    Ok(())
}

pub(super) fn open(archive: &Path) -> anyhow::Result<Box<dyn Read>> {
    if archive == Path::new("-") {
        return Ok(Box::new(io::stdin().lock()));
    }
    let file = File::open(archive).with_context(|| format!("can't open {}", archive.display()))?;
    Ok(Box::new(BufReader::with_capacity(1 << 20, file)))
}
