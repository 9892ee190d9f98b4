//! `repair`.

use pseudotape_farm::{Found, Remedy, Repair, Root, capsule_number};
use pseudotape_farm_net::Obstacle;
use pseudotape_human::{Paint, Report, Screen, counted, printable};
use serde::Serialize;

use super::reading::ShownFinding;
use super::shown::named;
use crate::Verdict;
use crate::cli::RepairVolume;

/// What is wrong, and what helps.
#[derive(Debug, Serialize)]
pub(super) struct RepairedVolume {
    volume: String,
    findings: Vec<ShownRemedy>,
    #[serde(skip)]
    how: Repair,
}

#[derive(Debug, Serialize)]
struct ShownRemedy {
    #[serde(flatten)]
    finding: ShownFinding,
    remedy: &'static str,
    done: bool,
    #[serde(skip)]
    words: &'static str,
}

/// The words of a remedy: for programs, for what was not done, and for what was.
fn words(remedy: Remedy) -> (&'static str, &'static str, &'static str) {
    match remedy {
        Remedy::Rebuild => (
            "rebuild",
            "its capsules give a new one",
            "made anew from the capsules",
        ),
        Remedy::RemoveFolder => ("remove-folder", "it can go", "removed"),
        Remedy::Clear => (
            "clear",
            "it can go: a killed command left it, and no file of the volume is in it",
            "removed",
        ),
        Remedy::Fill => (
            "fill",
            "a capsule that says so can take its place",
            "a capsule that says so is in its place",
        ),
        Remedy::List => ("list", "it can get into the directory", "in the directory"),
        Remedy::Drop => (
            "drop",
            "another capsule has its title: it can go",
            "another capsule has its title: removed",
        ),
        _ => (
            "none",
            "nothing here helps, and it stays: where its file is to be had, 'pseudotape farm add --check-present' makes a new capsule of it",
            "",
        ),
    }
}

/// What helps where something else has the name of a capsule: 'add' can't make one there, and makes one elsewhere
/// when that is gone.
const IN_THE_WAY: &str = "nothing here helps, and it stays: move it away; then 'pseudotape farm add' makes a new capsule \
    where the file is to be had, and 'pseudotape farm repair --yes' one that says that it is missing";

/// The same where something else has the name of a folder in which capsules lie.
const NO_FOLDER: &str = "nothing here helps, and it stays: put the folder back, with the capsules that are in it. \
    Where they are lost, move away what is in its place; then 'pseudotape farm add' makes new capsules where the files \
    are to be had, and 'pseudotape farm repair --yes' those that say that they are missing";

/// Of a folder in which no volume was made, and which is not the farm's to remove.
const NO_VOLUME: &str = "it stays: something that no farm made is in it, or it is a mount point or a link; \
    'pseudotape farm add' makes a volume in it";

/// Of a file that no farm made.
const FOREIGN: &str =
    "it is nothing of a farm, and stays: move it away where it does not belong there";

/// Of a capsule that can't get into the directory as it is: what is said of it names the way out.
const NOT_LISTED: &str = "it stays; where it is damaged and its file is to be had, 'pseudotape farm add' makes a new capsule";

impl ShownRemedy {
    fn new(finding: ShownFinding, remedy: Remedy, obstacle: Obstacle, is_done: bool) -> Self {
        let (word, proposed, done) = words(remedy);
        let proposed = match (remedy, obstacle) {
            (Remedy::Nothing, Obstacle::Capsule) => IN_THE_WAY,
            (Remedy::Nothing, Obstacle::Folder) => NO_FOLDER,
            (Remedy::Nothing, Obstacle::None) if finding.what == "foreign" => FOREIGN,
            (Remedy::Nothing, Obstacle::None) if finding.what == "folder" => NO_VOLUME,
            (Remedy::Nothing, Obstacle::None)
                if finding.what == "unlisted" && finding.title.is_none() =>
            {
                let name = finding.file.rsplit('/').next().unwrap_or_default();
                match capsule_number(name) {
                    Some(_) => NOT_LISTED,
                    None => "it stays",
                }
            }
            _ => proposed,
        };
        ShownRemedy {
            remedy: word,
            words: if is_done { done } else { proposed },
            finding,
            done: is_done,
        }
    }
}

impl Report for RepairedVolume {
    fn text(&self, screen: &Screen) -> String {
        let lines = self.findings.iter().map(|found| {
            let paint = match found.done {
                true => Paint::Good,
                false => Paint::Notice,
            };
            let what = screen.paint(paint, found.words);
            format!("{}; {what}", found.finding.words(screen))
        });
        let mut text = named(&lines.collect::<Vec<_>>(), true);
        let volume = screen.paint(Paint::Heading, &printable(&self.volume));
        let findings = counted(self.findings.len() as u64, "finding");
        let open = |found: &&ShownRemedy| !found.done && found.remedy != "none";
        let left: Vec<_> = self.findings.iter().filter(open).collect();
        text += &format!("{volume}: {findings}");
        if !left.is_empty() && !self.how.apply {
            text += "; nothing was changed: --yes does what helps";
        }
        if left.iter().any(|found| found.remedy == "drop") {
            text += "; capsules with files go with --yes --drop-replaced only";
        }
        text + "\n"
    }
}

pub(super) fn run(options: &RepairVolume, root: Root, screen: &Screen) -> anyhow::Result<Verdict> {
    let mut repaired = RepairedVolume::of(options);
    let how = repaired.how();
    let mut tell = |found: Found| {
        let obstacle = Obstacle::of(&found.damage);
        let finding = ShownFinding::new(found.file, found.damage);
        repaired.note(finding, found.remedy, obstacle, found.done);
    };
    pseudotape_farm::repair(&root, &options.volume, how, &mut tell)?;
    screen.show(&repaired)?;
    Ok(repaired.verdict())
}

impl RepairedVolume {
    pub(super) fn of(options: &RepairVolume) -> Self {
        RepairedVolume {
            volume: options.volume.to_string(),
            findings: Vec::new(),
            how: Repair {
                apply: options.yes,
                drop_replaced: options.drop_replaced,
            },
        }
    }

    pub(super) fn how(&self) -> Repair {
        self.how
    }

    pub(super) fn note(
        &mut self,
        finding: ShownFinding,
        remedy: Remedy,
        obstacle: Obstacle,
        done: bool,
    ) {
        let shown = ShownRemedy::new(finding, remedy, obstacle, done);
        self.findings.push(shown);
    }

    pub(super) fn verdict(&self) -> Verdict {
        match self.findings.iter().all(|found| found.done) {
            true => Verdict::Well,
            false => Verdict::Found,
        }
    }
}
