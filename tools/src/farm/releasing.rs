//! `release`.

use pseudotape_farm::{After, Released, Root};
use pseudotape_farm_script::{FileWords, TitleWords};
use pseudotape_human::{Paint, Report, Screen, counted, printable};
use serde::Serialize;

use super::shown::named;
use super::this_user;
use crate::Verdict;
use crate::cli::ReleaseFiles;

/// What became of the files, and of the volume.
#[derive(Debug, Serialize)]
pub(super) struct ReleasedFiles {
    volume: String,
    released: Vec<FileWords>,
    /// Their capsules had no file.
    before: Vec<TitleWords>,
    deleted: bool,
    /// What keeps the folder of a volume from being deleted.
    foreign: Vec<String>,
    #[serde(skip)]
    all: bool,
}

impl Report for ReleasedFiles {
    fn text(&self, screen: &Screen) -> String {
        let volume = printable(&self.volume);
        let mut text = String::new();
        if self.all {
            let files = self.released.len() + self.before.len();
            text += &format!("Release ALL {files} FILES in {volume}\n");
        }
        let before = self.before.iter();
        let before =
            before.map(|title| format!("{} has no file: nothing to release", title.words()));
        text += &named(&before.collect::<Vec<_>>(), false);
        text += &format!(
            "{volume}: {} released\n",
            counted(self.released.len() as u64, "file")
        );
        if self.deleted || !self.foreign.is_empty() {
            text += "File Release Completed. Volume Release Check Pending\n";
        }
        for name in &self.foreign {
            let what = screen.paint(Paint::Bad, "no file of a farm");
            text += &format!("{}: {what}: the volume is not deleted\n", printable(name));
        }
        if self.deleted {
            text += &format!("{volume}/*.* Deleted\n{volume} Deleted\n");
        }
        text
    }
}

pub(super) fn run(options: &ReleaseFiles, root: Root, screen: &Screen) -> anyhow::Result<Verdict> {
    let by = options.by.clone().unwrap_or_else(this_user);
    let mut done = ReleasedFiles::of(options);
    let mut tell = |told| done.note(told);
    let after = pseudotape_farm::release(&root, &options.volume, &options.titles, &by, &mut tell)?;
    done.note_after(after);
    screen.show(&done)?;
    Ok(done.verdict())
}

impl ReleasedFiles {
    pub(super) fn of(options: &ReleaseFiles) -> Self {
        ReleasedFiles {
            volume: options.volume.to_string(),
            released: Vec::new(),
            before: Vec::new(),
            deleted: false,
            foreign: Vec::new(),
            all: options.all,
        }
    }

    pub(super) fn note(&mut self, told: Released) {
        match told {
            Released::Done(entry) => self.released.push(FileWords::new(&entry)),
            Released::Before(entry) => self.before.push(TitleWords::new(&entry.title)),
            _ => {}
        }
    }

    pub(super) fn note_after(&mut self, after: After) {
        match after {
            After::Deleted => self.deleted = true,
            After::Foreign(names) => self.foreign = names,
            _ => {}
        }
    }

    pub(super) fn verdict(&self) -> Verdict {
        match self.foreign.is_empty() {
            true => Verdict::Well,
            false => Verdict::Found,
        }
    }
}
