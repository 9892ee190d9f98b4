use pseudotape_human::{Alignment, HumanBytes, Paint, Report, Screen, counted};
use serde::Serialize;

use super::{IN_USE, Marked};
use crate::content::Content;

/// What lies between two filemarks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct TapeFile {
    /// File number, as `mt status` shows it.
    pub file: u64,
    /// The object that `mt seek` takes to get here.
    pub first_object: u64,
    /// Blocks that can be read, as far as `ls` looks at them: it checks each file's first one only.
    pub blocks: u64,
    /// Their bytes.
    pub bytes: u64,
    /// The shortest and the longest block; `None` in a file without blocks.
    pub min_block: Option<u64>,
    /// See `min_block`.
    pub max_block: Option<u64>,
    /// Setmarks in the file.
    pub setmarks: u64,
    /// Objects that can't be read.
    pub damaged: u64,
    /// What the first bytes look like; `None` in a file without blocks, and where they are damaged.
    pub content: Option<Content>,
    /// Whether a filemark ends the file.
    pub ended: bool,
}

impl TapeFile {
    pub(crate) fn new(file: u64, first_object: u64) -> Self {
        TapeFile {
            file,
            first_object,
            blocks: 0,
            bytes: 0,
            min_block: None,
            max_block: None,
            setmarks: 0,
            damaged: 0,
            content: None,
            ended: false,
        }
    }

    pub(crate) fn add_block(&mut self, length: u64) {
        self.blocks += 1;
        self.bytes += length;
        self.min_block = Some(self.min_block.map_or(length, |min| min.min(length)));
        self.max_block = Some(self.max_block.map_or(length, |max| max.max(length)));
    }

    /// Nothing at all was met between two places.
    pub(crate) fn is_empty(&self) -> bool {
        self.blocks == 0 && self.setmarks == 0 && self.damaged == 0
    }

    fn block_sizes(&self) -> String {
        match (self.min_block, self.max_block) {
            (Some(min), Some(max)) if min == max => min.to_string(),
            (Some(min), Some(max)) => format!("{min}-{max}"),
            _ => "-".to_owned(),
        }
    }

    fn content_words(&self, screen: &Screen) -> String {
        let mut words = match (&self.content, self.blocks, self.damaged) {
            (Some(content), ..) => content.to_string(),
            (None, 0, 0) => "empty".to_owned(),
            (None, ..) => "unreadable".to_owned(),
        };
        if self.setmarks > 0 {
            words = format!("{words}, {}", counted(self.setmarks, "setmark"));
        }
        if self.damaged > 0 {
            words = words + ", " + &screen.paint(Paint::Bad, &format!("{} damaged", self.damaged));
        }
        if !self.ended {
            words += ", no filemark behind it";
        }
        words
    }
}

/// The files of a tape.
#[derive(Debug, Serialize)]
pub(crate) struct Listing {
    pub files: Vec<TapeFile>,
    /// The object number at which the recorded data end.
    pub end_of_data: u64,
    /// A drive has the image: this is what was committed.
    pub in_use: bool,
    #[serde(flatten)]
    pub marked: Marked,
    /// The first object of committed data that are not there any more.
    pub missing_from: Option<u64>,
    /// The same in words.
    #[serde(skip)]
    pub missing: Option<String>,
}

impl Report for Listing {
    fn text(&self, screen: &Screen) -> String {
        let mut text = self.table(screen);
        let missing = self.missing.clone();
        for words in self.marked.words().into_iter().chain(missing) {
            let words = screen.paint(Paint::Bad, &words);
            text = format!("{text}{words}\n");
        }
        if self.in_use {
            text = format!("{text}{}\n", screen.paint(Paint::Notice, IN_USE));
        }
        text
    }
}

impl Listing {
    fn table(&self, screen: &Screen) -> String {
        if self.files.is_empty() {
            return "the tape is blank\n".to_owned();
        }
        let columns = [
            ("file", Alignment::Right),
            ("object", Alignment::Right),
            ("blocks", Alignment::Right),
            ("bytes", Alignment::Right),
            ("size", Alignment::Right),
            ("block size", Alignment::Right),
            ("content", Alignment::Left),
        ];
        let row = |file: &TapeFile| {
            vec![
                file.file.to_string(),
                file.first_object.to_string(),
                file.blocks.to_string(),
                file.bytes.to_string(),
                HumanBytes(file.bytes).to_string(),
                file.block_sizes(),
                file.content_words(screen),
            ]
        };
        screen.table(&columns, self.files.iter().map(row).collect())
    }
}
