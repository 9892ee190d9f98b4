use std::fs::{self, File};
use std::io::{self, IsTerminal, Write};
use std::ops::Range;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use anyhow::{Context, bail, ensure};
use pseudotape_human::{HumanBytes, Report, Screen, counted, printable};
use pseudotape_image::{Image, View};
use pseudotape_tape::{Mark, Stop};
use serde::Serialize;

use super::reading::{Met, Reading};
use super::{Marked, Opened, missing_from, missing_words};
use crate::Verdict;
use crate::cli::DumpOptions;

#[derive(Debug, Default, Serialize)]
struct Dumped {
    files: u64,
    blocks: u64,
    bytes: u64,
    /// Places left out.
    damaged: u64,
    /// The first object of committed data that are not there any more, whether their loss was accepted or not, or may
    /// not be there, where the dump came to it.
    missing_from: Option<u64>,
}

impl Report for Dumped {
    fn text(&self, _: &Screen) -> String {
        let mut text = format!(
            "{} from {} ({})",
            counted(self.blocks, "block"),
            counted(self.files, "file"),
            HumanBytes(self.bytes)
        );
        if self.damaged > 0 {
            text = format!(
                "{text}, {} left out",
                counted(self.damaged, "damaged place")
            );
        }
        text + "\n"
    }
}

pub(crate) fn run(options: &DumpOptions, screen: &Screen) -> anyhow::Result<Verdict> {
    let to_stdout = options.output == Path::new("-");
    ensure!(
        !(to_stdout && screen.is_json()),
        "--json needs -o FILE: standard output is for the blocks"
    );
    ensure!(
        !(to_stdout && io::stdout().is_terminal()),
        "blocks are no text for a terminal: use -o FILE, or pipe them into a program"
    );
    let mut image = Opened::of_image_at_rest(&options.image, options.partition)?.image;
    if let Some(file) = options.file {
        go_to_file(&mut image, file)?;
    }
    let reading = Reading::new(image);
    let dumped = if to_stdout {
        write_blocks(reading, options, &mut unbuffered_stdout()?)?
    } else {
        let mut out = create_output(&options.image, &options.output)?;
        let dumped = write_blocks(reading, options, &mut out)
            .with_context(|| format!("writing {}", options.output.display()))?;
        screen.show(&dumped)?;
        dumped
    };
    Ok(match (dumped.damaged, dumped.missing_from) {
        (0, None) => Verdict::Well,
        _ => Verdict::Found,
    })
}

/// Goes behind the filemark that lies before the file.
fn go_to_file(image: &mut Image<View>, file: u64) -> anyhow::Result<()> {
    image.rewind();
    while image.place().file.0 < file {
        let ahead = i64::try_from(file - image.place().file.0).unwrap_or(i64::MAX);
        let spaced = image.space_marks(Mark::Filemark, ahead)?;
        if spaced.stop == Some(Stop::EndOfData) {
            break;
        }
    }
    if file > 0 && image.is_at_end_of_data() {
        let (filemarks, _) = image.mark_counts();
        bail!(
            "there is no file {file} on this tape of {}: 'pseudotape ls' lists the files",
            counted(filemarks, "filemark")
        );
    }
    Ok(())
}

/// Standard output without the standard library's buffer, which looks for line ends in the blocks.
fn unbuffered_stdout() -> io::Result<File> {
    Ok(File::from(io::stdout().as_fd().try_clone_to_owned()?))
}

/// The image must not be written over by its own blocks.
fn create_output(image: &Path, output: &Path) -> anyhow::Result<File> {
    if let (Ok(from), Ok(to)) = (fs::metadata(image), fs::metadata(output)) {
        ensure!(
            (from.dev(), from.ino()) != (to.dev(), to.ino()),
            "{} is the image itself: name another file with -o",
            output.display()
        );
    }
    File::create(output).with_context(|| format!("can't write {}", output.display()))
}

/// Tells of a loss that was accepted, where it was among these objects. What else a copy misses never was on this
/// image.
fn tell_mark(dumped: &mut Dumped, image: &Image<View>, options: &DumpOptions, objects: Range<u64>) {
    let marked = Marked::on(image);
    let Some(from) = marked.lost_from().filter(|from| objects.contains(from)) else {
        return;
    };
    dumped.missing_from = Some(
        dumped
            .missing_from
            .map_or(from, |missing| missing.min(from)),
    );
    if let Some(words) = marked.words() {
        eprintln!("pseudotape: {}: {words}", options.image.display());
    }
}

fn write_blocks(
    mut reading: Reading,
    options: &DumpOptions,
    out: &mut impl Write,
) -> anyhow::Result<Dumped> {
    let mut dumped = Dumped::default();
    let mut in_file = false;
    let begin = reading.image().place().object.0;
    loop {
        match reading.next()? {
            Met::EndOfData => {
                let image = reading.image();
                dumped.missing_from = missing_from(image);
                if let Some(words) = missing_words(image) {
                    eprintln!("pseudotape: {}: {words}", options.image.display());
                }
                tell_mark(&mut dumped, image, options, begin..u64::MAX);
                break;
            }
            Met::Filemark => {
                dumped.files += 1;
                in_file = false;
                if options.file.is_some() {
                    let image = reading.image();
                    tell_mark(&mut dumped, image, options, begin..image.place().object.0);
                    break;
                }
                continue;
            }
            Met::Setmark => {}
            Met::Damage(damage) => {
                dumped.damaged += 1;
                eprintln!("pseudotape: {}", printable(&damage.cause));
                if !options.skip_damaged {
                    eprintln!(
                        "pseudotape: stopped there; --skip-damaged leaves out what can't be read"
                    );
                    break;
                }
            }
            Met::Block(length) => {
                let block = reading.block();
                let whole = usize::try_from(length).is_ok_and(|length| block.len() == length);
                ensure!(
                    whole,
                    "a block of {length} bytes needs more memory than there is"
                );
                out.write_all(block)?;
                dumped.blocks += 1;
                dumped.bytes += u64::from(length);
            }
        }
        in_file = true;
    }
    out.flush()?;
    dumped.files += u64::from(in_file);
    Ok(dumped)
}
