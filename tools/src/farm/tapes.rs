//! Tape files of drives and images: files come from them, and go to them.

use std::io::{self, Read};

use anyhow::{Context, bail, ensure};
use pseudotape_copy::Side;
use pseudotape_drive::make_volume;
use pseudotape_farm::{Exported, Root};
use pseudotape_farm_script::TitleWords;
use pseudotape_human::{HumanBytes, Paint, Report, Screen, counted, printable};
use pseudotape_sink::{Access, Location, Sink};
use pseudotape_tape::{
    Address, Drive, EraseExtent, Failed, Mark, ObjectNumber, SpaceUnit, Stop, Transfer, WriteMode,
};
use serde::Serialize;

use super::archive_file::{self, ArchiveFile};
use super::shown::named;
use crate::Verdict;
use crate::cli::WriteFiles;
use crate::copying::tape::Tape;
use crate::image::create::fresh;

/// The longest block that is read.
const LONGEST_BLOCK: u32 = 16 << 20;
/// The length of the blocks that are written: what `tar` reads when nobody tells it.
const BLOCK_BYTES: usize = 10240;
/// The first bytes of what zstd packed.
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
const FULL: &str = "it is full, and the archive does not fit";

/// A tape file that is read.
pub(super) struct TapeFile {
    tape: Tape,
    block: Vec<u8>,
    at: usize,
    used: usize,
    is_behind: bool,
    /// Why the first block can't be read.
    unreadable: Option<io::Error>,
}

impl TapeFile {
    /// The tape file where the tape is, or the one with a number, counted from the beginning of the tape.
    pub(super) fn open(sink: &Sink, file: Option<u32>) -> anyhow::Result<Self> {
        let mut tape = Tape::open(sink, Access::ReadOnly, Side::First)?;
        if let Some(file) = file {
            let name = tape.name();
            let drive = tape.drive();
            let rewound = drive.rewind();
            rewound.map_err(|failed| anyhow::anyhow!("{name}: can't rewind: {failed}"))?;
            let mut passed = 0;
            while passed < file {
                let done = drive.space(SpaceUnit::Filemarks, i64::from(file - passed));
                let done = done.map_err(|failed| {
                    anyhow::anyhow!("{name}: can't go to tape file {file}: {failed}")
                })?;
                passed = passed.saturating_add(u32::try_from(done.count).unwrap_or(u32::MAX));
                // A setmark is passed like a block.
                if done.count == 0 && done.stop != Some(Stop::Setmark) {
                    bail!(
                        "{name}: there is no tape file {file}: the data end behind {}",
                        counted(passed.into(), "filemark")
                    );
                }
            }
        }
        let longest = tape.drive().block_limits().max_bytes.min(LONGEST_BLOCK);
        let block = vec![0; usize::try_from(longest.max(1))?];
        Ok(TapeFile {
            tape,
            block,
            at: 0,
            used: 0,
            is_behind: false,
            unreadable: None,
        })
    }

    /// Reads the first block. What is compressed is refused before a volume is made, with the way to read it.
    pub(super) fn begin(&mut self) -> anyhow::Result<()> {
        // It is told when it is wanted: files that are added before the archive are.
        self.unreadable = self.fill().err();
        let block = self.block.get(..self.used).unwrap_or_default();
        ensure!(
            !block.starts_with(&ZSTD),
            "{}: compressed: the tape file begins as those of zstd do. 'zstd -d' unpacks it (of an image: 'pseudotape dump \
             --file N IMAGE | zstd -d'), and '--tar -' adds what comes out",
            self.tape.name()
        );
        Ok(())
    }

    /// What it is read from.
    pub(super) fn name(&self) -> String {
        self.tape.name()
    }

    /// Goes behind the tape file, so that the next command finds the next one.
    pub(super) fn finish(mut self) -> anyhow::Result<()> {
        let name = self.tape.name();
        while !self.is_behind {
            let done = self.tape.drive().space(SpaceUnit::Filemarks, 1);
            let done = done.map_err(|failed| {
                anyhow::anyhow!("{name}: can't go behind the tape file: {failed}")
            })?;
            self.is_behind = done.count > 0 || done.stop != Some(Stop::Setmark);
        }
        self.tape.finish()
    }
}

impl TapeFile {
    /// Reads the next block, where all of the last one is taken.
    fn fill(&mut self) -> io::Result<()> {
        let name = |tape: &Tape| tape.name();
        if self.at == self.used && !self.is_behind {
            self.at = 0;
            self.used = 0;
            let read = self.tape.drive().read(Transfer::Variable, &mut self.block);
            let done =
                read.map_err(|failed| io::Error::other(format!("{}: {failed}", name(&self.tape))))?;
            match done.stop {
                Some(Stop::Filemark) => self.is_behind = true,
                Some(Stop::Setmark) => {
                    let text = format!("{}: a setmark is within the archive", name(&self.tape));
                    return Err(io::Error::other(text));
                }
                Some(Stop::EndOfData) => {
                    let text = format!(
                        "{}: the data end within the archive: no filemark is behind it",
                        name(&self.tape)
                    );
                    return Err(io::Error::other(text));
                }
                _ if done.block_length as usize > done.bytes => {
                    let text = format!(
                        "{}: a block of {} is longer than those that are read here",
                        name(&self.tape),
                        HumanBytes(done.block_length.into())
                    );
                    return Err(io::Error::other(text));
                }
                _ => self.used = done.bytes,
            }
        }
        Ok(())
    }
}

impl Read for TapeFile {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if let Some(error) = self.unreadable.take() {
            return Err(error);
        }
        self.fill()?;
        let ready = self.block.get(self.at..self.used).unwrap_or_default();
        let bytes = ready.len().min(out.len());
        if let (Some(out), Some(ready)) = (out.get_mut(..bytes), ready.get(..bytes)) {
            out.copy_from_slice(ready);
        }
        self.at += bytes;
        Ok(bytes)
    }
}

/// A tape that gets an archive.
struct Target {
    tape: Tape,
    /// Where the data ended.
    begin: ObjectNumber,
    /// The last tape file has no filemark: one goes before the archive, which would belong to that file without it.
    is_unfinished: bool,
    blocks: u64,
    /// Why it has no archive.
    failed: Option<String>,
}

impl Target {
    /// Opens a tape and goes behind what is recorded on it. An image is made where it is not there.
    fn open(sink: &Sink) -> anyhow::Result<Self> {
        if let Location::Path(path) = &sink.place
            && !path.exists()
            && path.extension() == Some("ptape".as_ref())
        {
            make_volume(path, &fresh()?)?;
        }
        let mut tape = Tape::open(sink, Access::ReadWrite, Side::Second)?;
        let name = tape.name();
        if let Some(lost) = tape.lost_end(0)? {
            bail!("{name}: {lost}; nothing was written");
        }
        let limits = tape.drive().block_limits();
        ensure!(
            limits.contain(BLOCK_BYTES as u64),
            "{name}: its drive takes no blocks of {BLOCK_BYTES} bytes"
        );
        if let Some(refusal) = tape.open.writability().refusal() {
            bail!("{name}: {refusal}");
        }
        let (begin, is_unfinished) =
            end_of(tape.drive()).map_err(|failed| anyhow::anyhow!("{name}: {failed}"))?;
        Ok(Target {
            tape,
            begin,
            is_unfinished,
            blocks: 0,
            failed: None,
        })
    }

    /// The object with which the archive begins.
    fn first_object(&self) -> u64 {
        self.begin.0.saturating_add(self.is_unfinished.into())
    }

    /// Writes one block, where nothing has failed.
    fn block(&mut self, block: &[u8]) {
        if self.blocks == 0 && self.is_unfinished {
            self.filemark(WriteMode::Immediate);
        }
        if self.failed.is_some() {
            return;
        }
        match self.tape.drive().write(Transfer::Variable, block) {
            Ok(done) if done.count > 0 => self.blocks += 1,
            Ok(_) => self.give_up(FULL.to_owned()),
            Err(failed) => self.failed = Some(failed.to_string()),
        }
    }

    /// Ends the archive with a filemark, and commits it.
    fn end(&mut self) {
        self.filemark(WriteMode::Commit);
    }

    fn filemark(&mut self, mode: WriteMode) {
        if self.failed.is_some() {
            return;
        }
        match self.tape.drive().write_marks(Mark::Filemark, 1, mode) {
            Ok(done) if done.count > 0 => {}
            Ok(_) => self.give_up(FULL.to_owned()),
            Err(failed) => self.failed = Some(failed.to_string()),
        }
    }

    /// Goes back to where the archive began, and ends the tape there, where the drive can do that.
    fn give_up(&mut self, why: String) {
        self.failed = Some(why);
        let to = Address {
            partition: None,
            object: self.begin,
        };
        let drive = self.tape.drive();
        let went = drive
            .locate(to)
            .is_ok_and(|done| done.position.object == self.begin);
        if went && (self.blocks > 0 || self.is_unfinished) {
            // A drive that can't leaves what was cut off; what is written next is written over it.
            let _unable = drive.erase(EraseExtent::Short);
        }
    }
}

/// Goes to the end of the data: where that is, and whether the last tape file has no filemark.
fn end_of(drive: &mut dyn Drive) -> Result<(ObjectNumber, bool), Failed> {
    let end = drive.space_to_end_of_data()?.position.object;
    if end == ObjectNumber(0) {
        return Ok((end, false));
    }
    let back = drive.space(SpaceUnit::Blocks, -1)?;
    let is_unfinished = back.count > 0 || back.stop == Some(Stop::Setmark);
    let again = drive.space_to_end_of_data()?.position.object;
    Ok((again, is_unfinished))
}

/// All that get the same archive.
struct Targets {
    all: Vec<Target>,
    archive: Option<ArchiveFile>,
    buffer: Vec<u8>,
}

impl Targets {
    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.buffer.extend_from_slice(bytes);
        let whole = self.buffer.len() / BLOCK_BYTES * BLOCK_BYTES;
        for block in self
            .buffer
            .get(..whole)
            .unwrap_or_default()
            .chunks(BLOCK_BYTES)
        {
            self.all.iter_mut().for_each(|target| target.block(block));
            self.archive.iter_mut().for_each(|file| file.block(block));
        }
        self.buffer.drain(..whole);
        let tapes = self.all.iter().all(|target| target.failed.is_some());
        match tapes && self.archive.iter().all(ArchiveFile::has_failed) {
            true => Err(io::Error::other("nothing takes the archive")),
            false => Ok(()),
        }
    }

    fn end(&mut self) {
        if !self.buffer.is_empty() {
            self.buffer.resize(BLOCK_BYTES, 0);
            let block = std::mem::take(&mut self.buffer);
            self.all.iter_mut().for_each(|target| target.block(&block));
            self.archive.iter_mut().for_each(|file| file.block(&block));
        }
        self.all.iter_mut().for_each(Target::end);
        self.archive.iter_mut().for_each(ArchiveFile::end);
    }

    /// Leaves nothing of an archive that is not whole, where that can be.
    fn give_up(&mut self, why: &str) {
        let whole = self.all.iter_mut().filter(|target| target.failed.is_none());
        whole.for_each(|target| target.give_up(why.to_owned()));
        let whole = self.archive.iter_mut().filter(|file| !file.has_failed());
        whole.for_each(|file| file.give_up(why.to_owned()));
    }

    /// What became of each.
    fn into_copies(self) -> Vec<ShownCopy> {
        let tapes = self.all.into_iter().map(|target| {
            let tape = target.tape.name();
            let first_object = target.first_object();
            let finished = target.tape.finish().err().map(|error| format!("{error:#}"));
            let why = target.failed.or(finished);
            ShownCopy {
                tape,
                first_object,
                filemark_before: target.is_unfinished && why.is_none(),
                blocks: target.blocks,
                why,
            }
        });
        let archive = self.archive.into_iter().map(|file| ShownCopy {
            tape: file.name().to_owned(),
            first_object: 0,
            filemark_before: false,
            blocks: file.blocks(),
            why: file.into_failure(),
        });
        tapes.chain(archive).collect()
    }
}

/// What became of the files and of the tapes.
#[derive(Debug, Serialize)]
struct WrittenFiles {
    volume: String,
    written: Vec<TitleWords>,
    failed: Vec<ShownFailed>,
    copies: Vec<ShownCopy>,
}

#[derive(Debug, Serialize)]
struct ShownFailed {
    #[serde(flatten)]
    title: TitleWords,
    why: String,
}

#[derive(Debug, Serialize)]
struct ShownCopy {
    tape: String,
    first_object: u64,
    /// A filemark was written before the archive: the tape file before it had none.
    filemark_before: bool,
    blocks: u64,
    why: Option<String>,
}

impl Report for WrittenFiles {
    fn text(&self, screen: &Screen) -> String {
        let failed = self.failed.iter().map(|failed| {
            let why = screen.paint(Paint::Bad, &printable(&failed.why));
            format!("{}: {why}", failed.title.words())
        });
        let mut text = named(&failed.collect::<Vec<_>>(), true);
        for copy in &self.copies {
            let what = match &copy.why {
                Some(why) => screen.paint(Paint::Bad, &printable(why)),
                None => format!(
                    "{} from object {} on{}",
                    counted(copy.blocks, "block"),
                    copy.first_object,
                    match copy.filemark_before {
                        true => "; a filemark was put before them: the tape file there had none",
                        false => "",
                    }
                ),
            };
            text += &format!("{}: {what}\n", copy.tape);
        }
        let volume = screen.paint(Paint::Heading, &printable(&self.volume));
        text += &format!(
            "{volume}: {} written",
            counted(self.written.len() as u64, "file")
        );
        if !self.failed.is_empty() {
            text += &format!(", {} not", self.failed.len());
        }
        text + "\n"
    }
}

/// `farm write`, of a farm of this host.
pub(super) fn write_here(
    options: &WriteFiles,
    root: &Root,
    screen: &Screen,
) -> anyhow::Result<Verdict> {
    let volume = root.look_for(&options.volume, &options.titles)?;
    let entries = volume.chosen(&options.titles)?;
    write(options, screen, |put, tell| {
        volume.export(&entries, options.prefix.as_ref(), put, tell)
    })
}

/// Who takes the bytes of an archive.
type Put<'a> = &'a mut dyn FnMut(&[u8]) -> io::Result<()>;

/// The archive that `export` makes, on all tapes, and in a file.
pub(super) fn write<E>(
    options: &WriteFiles,
    screen: &Screen,
    export: impl FnOnce(Put<'_>, &mut dyn FnMut(Exported)) -> Result<(), E>,
) -> anyhow::Result<Verdict>
where
    E: std::error::Error + Send + Sync + 'static,
{
    for (at, sink) in options.to.iter().enumerate() {
        ensure!(
            !options.to.iter().take(at).any(|other| other == sink),
            "--to {sink} is said twice: each tape gets the archive once, and nothing was written"
        );
    }
    let targets = options.to.iter().map(Target::open);
    let mut targets = Targets {
        all: targets.collect::<anyhow::Result<_>>()?,
        archive: options.tar.as_deref().map(ArchiveFile::open).transpose()?,
        buffer: Vec::new(),
    };
    let mut written = WrittenFiles {
        volume: options.volume.to_string(),
        written: Vec::new(),
        failed: Vec::new(),
        copies: Vec::new(),
    };
    let mut tell = |told| match told {
        Exported::Done(entry) => written.written.push(TitleWords::new(&entry.title)),
        Exported::NotThere(entry) => written.failed.push(ShownFailed {
            title: TitleWords::new(&entry.title),
            why: format!("not on {}: {}", options.volume, entry.state.word()),
        }),
        Exported::LeftOut(entry, fault) => written.failed.push(ShownFailed {
            title: TitleWords::new(&entry.title),
            why: format!("its capsule is damaged: {fault}"),
        }),
        _ => {}
    };
    let done = export(&mut |bytes: &[u8]| targets.put(bytes), &mut tell);
    match &done {
        Ok(()) => targets.end(),
        Err(error) => targets.give_up(&error.to_string()),
    }
    written.copies = targets.into_copies();
    let good = written
        .copies
        .iter()
        .filter(|copy| copy.why.is_none())
        .count();
    if good == 0 {
        // Nothing has a file.
        written.written.clear();
    }
    match options.tar.as_deref().is_some_and(archive_file::is_here) {
        // Standard output has the archive.
        true => eprint!("{}", screen.text_of(&written)?),
        false => screen.show(&written)?,
    }
    ensure!(
        good > 0,
        "no {} has the archive",
        options.tar.as_ref().map_or("tape", |_| "file and no tape")
    );
    done.context("the archive is not whole")?;
    Ok(
        match written.failed.is_empty() && good == written.copies.len() {
            true => Verdict::Well,
            false => Verdict::Found,
        },
    )
}
