//! EN-16, EN-17. A tape file out of the vault: into a directory, to another host, or onto another volume.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, anyhow, bail, ensure};
use pseudotape_copy::Side;
use pseudotape_human::{
    HumanBytes, Paint, Report, Screen, counted, json_text, printable, time_words,
};
use pseudotape_rescue::{Options, raw_file};
use pseudotape_sink::{Access, Location, Sink};
use pseudotape_vault::{
    Digest, FileDigest, FileState, Label, Order, TapeFile, Vault, may_be_cloned, read_file,
};
use serde::Serialize;

use super::append::append;
use super::pieces::{Piece, Pieces, Recorded, fill};
use super::{by, ensure_wanted};
use crate::Verdict;
use crate::cli::{DeliverFile, DeliverTo};
use crate::copying::tape::Tape;
use crate::rescue::in_place;
use crate::vault::Place;

/// What whoever asked for the tape file gets.
#[derive(Debug, Serialize)]
struct Receipt {
    label: String,
    identity: String,
    file: u64,
    /// Where it is now.
    to: String,
    /// All of it is there, with the right digest.
    whole: bool,
    blocks: u64,
    bytes: u64,
    /// Of what was delivered.
    digest: Option<String>,
    /// The catalog had its digest, and it is that one.
    verified: bool,
    /// The map of the holes, where it is not whole.
    map: Option<PathBuf>,
    /// Why it is not whole.
    why: Option<String>,
    delivered: String,
    by: String,
}

impl Report for Receipt {
    fn text(&self, screen: &Screen) -> String {
        let what = format!("tape file {} of {}", self.file, printable(&self.label));
        let much = format!(
            "{} in {}",
            HumanBytes(self.bytes),
            counted(self.blocks, "block")
        );
        let to = printable(&self.to);
        match (&self.map, &self.why) {
            (Some(map), why) => format!(
                "{}: {what} is not whole{}: what there is of it is {to}, and {} says where its holes are\n",
                screen.paint(Paint::Bad, "partial"),
                why.as_ref()
                    .map_or_else(String::new, |why| format!(" ({why})")),
                map.display(),
            ),
            (None, _) => format!(
                "{}: {what} is {to} ({much}, BLAKE3 {}{})\n",
                screen.paint(Paint::Good, "delivered"),
                self.digest.as_deref().unwrap_or("of nothing"),
                match self.verified {
                    true => "",
                    false => "; the catalog knows none",
                }
            ),
        }
    }
}

/// What was asked for.
struct Wanted {
    image: PathBuf,
    /// As the catalog has it.
    known: TapeFile,
    /// As it was read just now.
    read: TapeFile,
}

pub(in crate::vault) fn deliver(
    options: &DeliverFile,
    place: &Place,
    screen: &Screen,
) -> Result<Verdict> {
    let mut vault = match options.to {
        DeliverTo::Volume(_) => place.open("deliver")?,
        DeliverTo::Directory(_) | DeliverTo::Host { .. } => place.look()?,
    };
    let listed = vault.volume(&options.label)?;
    may_be_cloned(&listed.volume)?;
    let wanted = wanted(&vault, options)?;
    let mut receipt = Receipt {
        label: options.label.to_string(),
        identity: listed.volume.identity.to_string(),
        file: options.file,
        to: String::new(),
        whole: true,
        blocks: wanted.read.blocks,
        bytes: wanted.read.bytes,
        digest: wanted.read.digest.map(|digest| digest.to_string()),
        verified: wanted.known.digest.is_some(),
        map: None,
        why: why_not(&wanted),
        delivered: time_words(now_ms()),
        by: by(options.by.as_ref()),
    };
    let mut pieces = Recorded::new(&wanted.image, &wanted.known)?;
    let digest = wanted.read.digest;
    receipt.to = match (&options.to, &receipt.why) {
        (DeliverTo::Directory(directory), None) => {
            to_directory(&directory.join(name(options)), &mut pieces, digest)?
        }
        (DeliverTo::Directory(directory), Some(_)) => {
            let path = directory.join(name(options));
            partial(&path, &wanted, options.tries, &mut receipt)?
        }
        (_, Some(why)) => bail!(
            "tape file {} of {} is not delivered: {why}; --to a directory takes what there is of it",
            options.file,
            options.label
        ),
        (DeliverTo::Host { host, path }, None) => {
            let path = match path.ends_with('/') {
                true => path.clone() + &name(options),
                false => path.clone(),
            };
            Host {
                rsh: &options.rsh,
                host,
            }
            .take(&path, &mut pieces, digest)?
        }
        (DeliverTo::Volume(label), None) => {
            to_volume(&mut vault, label, options, &mut pieces, digest)?
        }
    };
    if let Some(path) = &options.receipt {
        in_place(path, json_text(&receipt)?.as_bytes(), None).with_context(|| {
            format!(
                "it is delivered; can't write the receipt {}",
                path.display()
            )
        })?;
    }
    screen.show(&receipt)?;
    Ok(match receipt.whole {
        true => Verdict::Well,
        false => Verdict::Found,
    })
}

fn wanted(vault: &Vault, options: &DeliverFile) -> Result<Wanted> {
    let (label, number) = (&options.label, options.file);
    let files = vault.files(label)?;
    let known = files.iter().find(|file| file.number == number);
    let known = known.with_context(|| {
        let count = counted(files.len() as u64, "tape file");
        format!("there is no tape file {number} on {label}: it has {count}, counted from 0")
    })?;
    ensure_wanted(vault, label, number, known.state)?;
    let image = vault.image_of(&vault.volume(label)?.volume);
    let image = image.with_context(|| format!("volume {label} has no image in the vault"))?;
    let read = read_file(&image, number, known.first_object)?;
    Ok(Wanted {
        image,
        known: known.clone(),
        read,
    })
}

/// Why it is not delivered under its name (EN-16).
fn why_not(wanted: &Wanted) -> Option<String> {
    let Wanted { known, read, .. } = wanted;
    if read.state.is_faulty() {
        return Some("not all of it can be read".to_owned());
    }
    match (known.digest, read.digest) {
        (Some(known), Some(read)) if known != read => {
            Some(format!("its digest is {read}, and was {known}"))
        }
        (Some(_), None) => Some("nothing is recorded there any more".to_owned()),
        _ if known.state == FileState::Ok
            && (known.blocks, known.bytes) != (read.blocks, read.bytes) =>
        {
            Some("it has another length than the catalog knows".to_owned())
        }
        _ => None,
    }
}

/// The name that it gets in a directory.
fn name(options: &DeliverFile) -> String {
    format!(
        "{}.{}",
        options.label.as_str().replace('/', "_"),
        options.file
    )
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(ending);
    name.into()
}

fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |now| u64::try_from(now.as_millis()).unwrap_or(u64::MAX))
}

/// Writes all of it, and says what it was.
fn write_all(pieces: &mut dyn Pieces, out: &mut impl Write) -> Result<Option<Digest>> {
    let (mut digest, mut blocks) = (FileDigest::default(), 0_u64);
    while let Some(piece) = pieces.next()? {
        if let Piece::Block(block) = piece {
            out.write_all(block)?;
            digest.add(block);
            blocks += 1;
        }
    }
    out.flush()?;
    Ok((blocks > 0).then(|| digest.digest()))
}

fn ensure_free(path: &Path) -> Result<()> {
    let directory = path.parent().unwrap_or(Path::new("."));
    ensure!(
        directory == Path::new("") || directory.is_dir(),
        "{} is no directory: make it, or name another one",
        directory.display()
    );
    ensure!(
        fs::symlink_metadata(path).is_err(),
        "{} exists: move it away, or name another directory",
        path.display()
    );
    Ok(())
}

fn to_directory(path: &Path, pieces: &mut dyn Pieces, digest: Option<Digest>) -> Result<String> {
    ensure_free(path)?;
    let partial = with_ending(path, ".partial");
    let failed = || partial.display().to_string();
    let mut out = File::create(&partial).with_context(failed)?;
    let written = write_all(pieces, &mut out).with_context(failed)?;
    ensure!(
        written == digest,
        "{}: what was written has another digest",
        failed()
    );
    out.sync_all().with_context(failed)?;
    fs::rename(&partial, path).with_context(failed)?;
    Ok(path.display().to_string())
}

/// What there is of a tape file that is not whole, with a map of its holes, and never under its name.
fn partial(path: &Path, wanted: &Wanted, tries: u32, receipt: &mut Receipt) -> Result<String> {
    ensure_free(path)?;
    let (partial, map) = (with_ending(path, ".partial"), with_ending(path, ".map"));
    let failed = || partial.display().to_string();
    let sink = Sink::from(Location::Path(wanted.image.clone()));
    let mut source = Tape::open(&sink, Access::ReadOnly, Side::First)?;
    let options = Options {
        tries,
        lost_its_end: source.end_is_lost(0)?,
        ..Options::default()
    };
    source.go_to(Some(0), 0)?;
    let out = File::create(&partial).with_context(failed)?;
    let read = raw_file(
        &mut source.open,
        wanted.known.number,
        options,
        &mut |offset, block| out.write_all_at(block, offset),
    )?;
    // Holes stay holes, also at the end.
    out.set_len(read.length).with_context(failed)?;
    out.sync_all().with_context(failed)?;
    in_place(&map, read.ddrescue_map().as_bytes(), None)
        .with_context(|| map.display().to_string())?;
    receipt.whole = false;
    receipt.verified = false;
    receipt.bytes = read.length;
    receipt.blocks = read.blocks;
    receipt.digest = None;
    receipt.map = Some(map);
    Ok(partial.display().to_string())
}

fn to_volume(
    vault: &mut Vault,
    label: &Label,
    options: &DeliverFile,
    pieces: &mut Recorded,
    digest: Option<Digest>,
) -> Result<String> {
    ensure!(
        *label != options.label,
        "{label} has that tape file already: name another volume"
    );
    let reason = format!(
        "tape file {} of {} was delivered",
        options.file, options.label
    );
    let order = Order::person(by(options.by.as_ref()), reason);
    let appended = append(vault, label, pieces, digest, &order)?;
    vault.close_volume(label, &appended.contents, &order)?;
    Ok(format!("tape file {} of {label}", appended.number))
}

/// Another host, where a shell does what we say.
struct Host<'a> {
    rsh: &'a OsStr,
    host: &'a str,
}

impl Host<'_> {
    /// It gets its name there when it was read back, and is the same.
    fn take(&self, path: &str, pieces: &mut dyn Pieces, digest: Option<Digest>) -> Result<String> {
        let partial = quoted(&format!("{path}.partial"));
        let path_there = quoted(path);
        let name = format!("ssh:{}:{path}", self.host);
        let script = format!(
            "if test -e {path_there}; then echo {path_there} exists >&2; exit 1; fi; exec cat >{partial}"
        );
        let mut child = self.start(&script, Stdio::piped(), Stdio::null())?;
        let mut input = child.stdin.take().context("its input is a pipe")?;
        let written = write_all(pieces, &mut input);
        drop(input);
        let ended = child.wait()?;
        ensure!(ended.success(), "{name}: it is not taken there ({ended})");
        // A broken pipe among the causes would pass for one of ours, of which nobody needs to hear.
        let written =
            written.map_err(|error| anyhow!("{name}: it was not taken as a whole: {error:#}"))?;
        let mut child = self.start(
            &format!("exec cat {partial}"),
            Stdio::null(),
            Stdio::piped(),
        )?;
        let mut output = child.stdout.take().context("its output is a pipe")?;
        let back = digest_of(&mut output);
        drop(output);
        let ended = child.wait()?;
        ensure!(ended.success(), "{name}: it can't be read back ({ended})");
        ensure!(
            written == digest && back? == digest,
            "{name}: what is there is not what was sent: {path}.partial"
        );
        // Nobody else's file is written over, also one that came meanwhile.
        let script = format!("ln {partial} {path_there} && rm {partial}");
        let ended = self.start(&script, Stdio::null(), Stdio::null())?.wait()?;
        ensure!(
            ended.success(),
            "{name}: it can't get its name there ({ended}): {path}.partial"
        );
        Ok(name)
    }

    fn start(&self, script: &str, input: Stdio, output: Stdio) -> Result<std::process::Child> {
        let mut command = Command::new(self.rsh);
        if self.rsh == "ssh" {
            // Nobody is there to be asked.
            command.args(["-o", "BatchMode=yes"]);
        }
        let child = command.arg(self.host).arg(script);
        child
            .stdin(input)
            .stdout(output)
            .spawn()
            .with_context(|| format!("can't start {}", self.rsh.display()))
    }
}

fn digest_of(from: &mut impl io::Read) -> Result<Option<Digest>> {
    let (mut digest, mut bytes) = (FileDigest::default(), 0);
    let mut buffer = vec![0; 1 << 20];
    loop {
        let length = fill(from, &mut buffer)?;
        if length == 0 {
            return Ok((bytes > 0).then(|| digest.digest()));
        }
        digest.add(buffer.get(..length).unwrap_or_default());
        bytes += length;
    }
}

/// As one word of a shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}
