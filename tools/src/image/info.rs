use std::fmt::Write;
use std::path::{Path, PathBuf};

use pseudotape_drive::Personality;
use pseudotape_human::time_words;
use pseudotape_human::{HumanBytes, Report, Screen, counted, printable};
use pseudotape_image::{Image, OpenReport, Rewriting, View};
use pseudotape_sink::{host_room_bytes, left_on_both};
use serde::Serialize;

use super::attributes::{self, Shown};
use super::{IN_USE, Marked, Opened, existing_words, look, picture};
use crate::Verdict;
use crate::cli::InfoOptions;

/// How the image was found when it was opened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Found {
    /// There was nothing to report.
    pub clean: bool,
    /// Something that was committed is damaged or missing.
    pub damaged: bool,
    /// What there was, in words.
    pub words: String,
    /// Bytes behind the last whole record, left by an interrupted write.
    pub torn_bytes: u64,
    /// Bytes that were committed and are not there any more.
    pub missing_bytes: u64,
    /// The first object that may be lost with them.
    pub missing_from: Option<u64>,
    /// No index was usable: it was made anew from the records, which costs time but no data.
    pub index_rebuilt: bool,
}

impl Found {
    pub(crate) fn new(report: &OpenReport) -> Self {
        Found {
            clean: report.is_clean(),
            damaged: report.is_damaged(),
            words: report.to_string(),
            torn_bytes: report.torn_tail.map_or(0, |tail| tail.bytes),
            missing_bytes: report.missing.map_or(0, |missing| missing.bytes),
            missing_from: report.missing.map(|missing| missing.from_object),
            index_rebuilt: report.index_rebuilt,
        }
    }
}

#[derive(Debug, Serialize)]
struct Info {
    image: PathBuf,
    volume: String,
    created: String,
    label: Option<String>,
    barcode: Option<String>,
    capacity_bytes: Option<u64>,
    /// What still fits: no more than the host's disk has free.
    left_bytes: Option<u64>,
    early_warning_bytes: u64,
    min_block: u32,
    max_block: u32,
    write_protected: bool,
    #[serde(flatten)]
    marked: Marked,
    worm: bool,
    partition: u8,
    partitions: u8,
    /// Those of the volume that can't be opened: their files are gone, damaged, or other ones.
    lost_partitions: Vec<LostPartition>,
    objects: u64,
    filemarks: u64,
    used_bytes: u64,
    host_bytes: u64,
    /// What programs keep beside the data; null where that is damaged.
    attributes: Option<Vec<Shown>>,
    opened: Found,
    /// A drive has the image: this is what was committed.
    in_use: bool,
}

/// A partition that can't be opened.
#[derive(Debug, Serialize)]
struct LostPartition {
    partition: u8,
    why: String,
}

impl Report for Info {
    fn text(&self, _: &Screen) -> String {
        let mut text = String::new();
        let mut field = |name: &str, value: String| {
            writeln!(text, "{name:<14} {}", printable(&value)).expect("a String takes everything");
        };
        let words = |text: &Option<String>| text.clone().unwrap_or_else(|| "none".to_owned());
        field("image", self.image.display().to_string());
        field("volume", self.volume.clone());
        field("made", self.created.clone());
        field("label", words(&self.label));
        field("barcode", words(&self.barcode));
        field(
            "capacity",
            match self.capacity_bytes {
                None => "no limit but the host's disk".to_owned(),
                Some(bytes) => format!(
                    "{}, early warning {} before the end",
                    HumanBytes(bytes),
                    HumanBytes(self.early_warning_bytes)
                ),
            },
        );
        if let Some(left) = self.left_bytes {
            field("left", HumanBytes(left).to_string());
        }
        field(
            "block limits",
            format!("{} to {} bytes", self.min_block, self.max_block),
        );
        field(
            "write protect",
            match self.write_protected {
                true => "on".to_owned(),
                false => "off".to_owned(),
            },
        );
        if let Some(words) = self.marked.words() {
            field("missing", words);
        }
        if self.worm {
            field("WORM", "can only be appended to".to_owned());
        }
        if self.partitions > 1 {
            field(
                "partition",
                format!(
                    "{} of 0 to {} (--partition N shows another)",
                    self.partition,
                    self.partitions - 1
                ),
            );
        }
        for lost in &self.lost_partitions {
            field(
                "lost",
                format!("partition {}: {}", lost.partition, lost.why),
            );
        }
        field(
            "recorded",
            format!(
                "{} in {}, {} of them {}",
                HumanBytes(self.used_bytes),
                counted(self.objects, "object"),
                self.filemarks,
                if self.filemarks == 1 {
                    "filemark"
                } else {
                    "filemarks"
                }
            ),
        );
        field("image size", HumanBytes(self.host_bytes).to_string());
        if let Some(words) = attributes::words(self.attributes.as_deref()) {
            field("attributes", words);
        }
        field("opened", self.opened.words.clone());
        if self.in_use {
            field("note", IN_USE.to_owned());
        }
        text
    }
}

pub(crate) fn run(options: &InfoOptions, screen: &Screen) -> anyhow::Result<Verdict> {
    let InfoOptions {
        image: options,
        picture,
    } = options;
    let mut info = look(&options.image, options.partition, |reading, report| {
        Ok(Info::of(&options.image, reading.image(), report))
    })?;
    info.lost_partitions = lost_partitions(&options.image, &info);
    screen.show(&info)?;
    if let Some(file) = picture {
        let title = options.image.display().to_string();
        let picture = picture::of_image(&options.image, options.partition)?;
        crate::rescue::draw(&picture, &title, file, screen)?;
    }
    Ok(Verdict::Well)
}

impl Info {
    fn of(path: &Path, image: &Image<View>, report: &OpenReport) -> Self {
        let header = image.header();
        let end = image.end_of_data();
        Info {
            image: path.to_owned(),
            volume: header.volume.to_string(),
            created: time_words(header.created_ms),
            label: existing_words(image.label()),
            barcode: existing_words(image.barcode()),
            capacity_bytes: header.capacity_bytes,
            left_bytes: left_bytes(path, image),
            early_warning_bytes: header.early_warning_bytes,
            min_block: header.block_limits.min_bytes,
            max_block: header.block_limits.max_bytes,
            write_protected: image.is_write_protected(),
            marked: Marked::on(image),
            worm: header.rewriting == Rewriting::AppendOnly,
            partition: header.partition.0,
            partitions: header.partition_count,
            lost_partitions: Vec::new(),
            objects: end.object.0,
            filemarks: image.mark_counts().0,
            used_bytes: image.payload_bytes(),
            host_bytes: image.host_bytes(),
            attributes: attributes::of(image),
            opened: Found::new(report),
            in_use: image.is_in_use(),
        }
    }
}

/// The other partitions of a volume that can't be opened. The file of a later partition, by itself, says nothing of
/// them.
fn lost_partitions(path: &Path, shown: &Info) -> Vec<LostPartition> {
    let first = Opened::for_reading(path, 0);
    if first.is_ok_and(|first| first.image.header().partition.0 != 0) {
        return Vec::new();
    }
    let others = (0..shown.partitions).filter(|partition| *partition != shown.partition);
    let lost = others.filter_map(|partition| {
        let why = look(path, partition, |_, _| Ok(())).err()?;
        Some(LostPartition {
            partition,
            why: format!("{why:#}"),
        })
    });
    lost.collect()
}

/// As a drive counts it that has no other rules: the bytes of blocks, and 64 for a filemark.
fn left_bytes(path: &Path, image: &Image<View>) -> Option<u64> {
    let mark_bytes = Personality::default().mark_bytes;
    let marks = image.mark_counts().0.saturating_mul(mark_bytes);
    let used = image.payload_bytes().saturating_add(marks);
    let capacity = image.header().capacity_bytes;
    let left = capacity.map(|capacity| capacity.saturating_sub(used));
    left_on_both(left, host_room_bytes(path))
}
