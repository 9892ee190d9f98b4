//! EN-01 to EN-13. `pseudotape vault clone`: a volume of which something can't be read any more gets a clone.

mod notice;
pub(super) mod objects;
pub(super) mod papers;
mod report;
mod sources;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail, ensure};
use pseudotape_copy::Side;
use pseudotape_human::{Screen, shell_word};
use pseudotape_image::Image;
use pseudotape_rescue::{BadObject, Map};
use pseudotape_sink::{Access, Location, Sink};
use pseudotape_vault::{
    ClonedFile, Cloning, Contents, Depth, FileState, Label, Listed, Order, TapeFile, Vault,
    may_be_cloned, may_become_clone, read_contents, unlike,
};

use self::notice::Counts;
use self::objects::{Judged, Kept, scan};
use self::papers::{Inventory, Papers, Progress, Tried};
use self::report::{CloneReport, Good, LeftOut};
use self::sources::{Source, ensure_bound, unread, usable};
use super::{Place, this_user};
use crate::Verdict;
use crate::cli::{CloneReason, CloneVolume, RescueOptions};
use crate::copying::copy::is_blank;
use crate::copying::tape::{Tape, name_of};
use crate::rescue::{Lock, map_of, work_telling};

pub(super) fn run(options: &CloneVolume, place: &Place, screen: &Screen) -> Result<Verdict> {
    let vault = place.open("clone")?;
    let mut job = match finished(&vault, options)? {
        Some(papers) => {
            let report = close(&vault, options, &papers)?;
            return verdict(options, &report, screen);
        }
        None => Job::begin(vault, options)?,
    };
    job.read(screen)?;
    let judged = job.judge()?;
    let good: Vec<&Judged> = judged
        .iter()
        .filter(|judged| judged.file.state == FileState::Ok)
        .collect();
    if good.is_empty() {
        let copies = job.vault.copies_of_before(&options.label)?;
        let copies = copies.map_or_else(String::new, |places| {
            format!("; copies of before are on {places}, and 'pseudotape vault recall' brings one when the image was moved")
        });
        bail!(
            "not one tape file of {} that somebody wants is whole: there is nothing to clone; --from another copy may \
             have more{copies}",
            options.label
        );
    }
    let cloned = job.write(&good)?;
    if options.hold {
        let report = job.held(&good, &cloned)?;
        return verdict(options, &report, screen);
    }
    let contents = job.scan(&good)?;
    let order = job.order();
    let swapped = job.vault.swap_clone(
        Cloning {
            source: &options.label,
            clone: &options.to,
            contents: &contents,
            files: &cloned,
        },
        &order,
    );
    swapped.context("nothing was changed")?;
    let report = close(&job.vault, options, &job.papers)?;
    verdict(options, &report, screen)
}

fn verdict(options: &CloneVolume, report: &CloneReport, screen: &Screen) -> Result<Verdict> {
    screen.show(report)?;
    // EN-07: what was not written to its end is no damage of what was.
    let misses = report.misses_something() && options.reason == CloneReason::Read;
    Ok(match misses {
        true => Verdict::Found,
        false => Verdict::Well,
    })
}

/// The papers of a clone that has its label, and was killed before all was said.
fn finished(vault: &Vault, options: &CloneVolume) -> Result<Option<Papers>> {
    let Some((source, _)) = vault.clone_of(&options.label)? else {
        return Ok(None);
    };
    let papers = Papers::of(vault, &source.to_string());
    let progress = papers.progress()?;
    Ok(progress
        .is_some_and(|progress| !progress.closed)
        .then_some(papers))
}

/// Says that it is done, from what the catalog knows.
fn close(vault: &Vault, options: &CloneVolume, papers: &Papers) -> Result<CloneReport> {
    let (identity, cloned) = vault
        .clone_of(&options.label)?
        .with_context(|| format!("{} is no clone", options.label))?;
    let volumes = vault.volumes()?;
    let source = volumes.iter().find(|l| l.volume.identity == identity);
    let source = source.context("the damaged volume has left the vault")?;
    let kept_as = source.volume.label.clone();
    let inventory = papers.begin(&source.volume, &vault.files(&kept_as)?)?;
    let mut progress = papers.first_progress(options.reason.word())?;
    let report = report(
        options,
        papers,
        &progress,
        Some(&kept_as),
        &vault.files(&options.label)?,
        &vault.files(&kept_as)?,
        &cloned,
    );
    let report = with_copies(report, vault, &kept_as)?;
    if let Some(command) = &options.ticket_hook {
        let counts = Counts {
            good: report.files.len(),
            left_out: report.left_out.len(),
        };
        notice::ends(command, &inventory, &progress, counts).context(
            "the clone is in its place, and nobody was told: the same command tells it again",
        )?;
    }
    papers.clear()?;
    progress.closed = true;
    papers.save(&progress)?;
    Ok(report)
}

fn report(
    options: &CloneVolume,
    papers: &Papers,
    progress: &Progress,
    kept_as: Option<&Label>,
    clone: &[TapeFile],
    source: &[TapeFile],
    cloned: &[ClonedFile],
) -> CloneReport {
    let text = |file: &TapeFile| file.digest.map(|digest| digest.to_string());
    let files = cloned.iter().filter_map(|cloned| {
        let file = clone.iter().find(|file| file.number == cloned.number)?;
        Some(Good {
            file: file.number,
            first_object: file.first_object,
            old_file: cloned.old_number,
            old_first_object: cloned.old_first_object,
            blocks: file.blocks,
            bytes: file.bytes,
            digest: text(file),
        })
    });
    let on_it: BTreeSet<u64> = cloned.iter().map(|cloned| cloned.old_number).collect();
    let left_out = source.iter().filter(|file| !on_it.contains(&file.number));
    CloneReport {
        label: options.label.to_string(),
        incident: progress.incident.clone(),
        reason: progress.reason.clone(),
        inventory: papers.inventory_path().display().to_string(),
        in_place: kept_as.is_some(),
        kept_as: kept_as.unwrap_or(&options.label).to_string(),
        sources: progress.tried.clone(),
        files: files.collect(),
        left_out: left_out
            .map(|file| LeftOut {
                file: file.number,
                first_object: file.first_object,
                blocks: file.blocks,
                bytes: file.bytes,
                digest: text(file),
                state: file.state.word(),
            })
            .collect(),
        copies: None,
    }
}

/// Who misses something hears where it may be.
fn with_copies(report: CloneReport, vault: &Vault, kept_as: &Label) -> Result<CloneReport> {
    let copies = match report.misses_something() {
        true => vault.copies_of_before(kept_as)?,
        false => None,
    };
    Ok(CloneReport { copies, ..report })
}

/// A clone on its way.
struct Job<'a> {
    vault: Vault,
    options: &'a CloneVolume,
    papers: Papers,
    inventory: Inventory,
    progress: Progress,
    source: PathBuf,
    target: PathBuf,
    /// What else is there to read from.
    from: Vec<Source>,
    _lock: Lock,
}

impl<'a> Job<'a> {
    /// Whatever is refused is refused here, before anything is changed.
    fn begin(mut vault: Vault, options: &'a CloneVolume) -> Result<Self> {
        ensure!(
            options.label != options.to,
            "a volume can't be its own clone"
        );
        let source = vault.volume(&options.label)?;
        let target = vault.volume(&options.to);
        let target =
            target.map_err(|error| done_before(&vault, options).unwrap_or(error.into()))?;
        let (source_image, target_image) = (image(&vault, &source)?, image(&vault, &target)?);
        may_be_cloned(&source.volume)?;
        may_become_clone(&target, true)?;
        ensure_alike(options, &source_image, &target_image)?;
        let from = usable(options, &source_image)?;
        let papers = Papers::of(&vault, &source.volume.identity.to_string());
        let inventory = papers.begin(&source.volume, &vault.files(&options.label)?)?;
        let _lock = Lock::take(
            papers.directory.join("lock"),
            Path::new(options.label.as_str()),
        )?;
        expect_known(&source, &source_image)?;
        let mut progress = papers.first_progress(options.reason.word())?;
        if let Some(command) = &options.ticket_hook
            && !progress.opened
        {
            notice::begins(command, &inventory, &progress)?;
            progress.opened = true;
            papers.save(&progress)?;
        }
        let identity = target.volume.identity.to_string();
        let resumed = progress.target.as_ref() == Some(&identity);
        let order = order_of(options, &progress);
        if !resumed {
            let mut to = open(&target_image)?;
            ensure!(is_blank(&mut to)?, "volume {} is not blank", options.to);
            to.finish()?;
            // Whatever happens to the catalog now, it is known by whom.
            progress.target = Some(identity);
            progress.written = None;
            papers.save(&progress)?;
        }
        vault.begin_clone(&options.label, &options.to, true, &order)?;
        Ok(Job {
            vault,
            options,
            papers,
            inventory,
            progress,
            source: source_image,
            target: target_image,
            from,
            _lock,
        })
    }

    fn order(&self) -> Order {
        order_of(self.options, &self.progress)
    }

    /// EN-08, EN-14. Reads the volume's own image first, and elsewhere what that does not give.
    fn read(&mut self, screen: &Screen) -> Result<()> {
        let own = Sink::from(Location::Path(self.source.clone()));
        self.read_from(own, screen)?;
        self.note_unread()?;
        // EN-14. The best one first, and no further one than is needed.
        for from in std::mem::take(&mut self.from) {
            let map = map_of(&self.papers.work())?.context("the map of what was read is there")?;
            if map.is_whole() {
                break;
            }
            ensure!(
                map.counts().good > 0 || self.options.same_tape,
                "nothing can be read on the volume's own image, so nothing shows that the other one is a copy: if it \
                 is, --same-tape says so"
            );
            let files = self.inventory.files()?;
            ensure_bound(self.options, &from, &unread(&map, &files))?;
            self.read_from(from.sink, screen)?;
        }
        Ok(())
    }

    /// What the volume's own image does not give is bad there, whoever has it besides. A kill may have come between the
    /// reading and this; no other source is read before it.
    fn note_unread(&mut self) -> Result<()> {
        let map = map_of(&self.papers.work())?.context("the map of what was read is there")?;
        let files = self.inventory.files()?;
        let bad: Vec<TapeFile> = unread(&map, &files)
            .into_iter()
            .map(|file| as_state(file, FileState::Bad))
            .collect();
        let reason = format!("it can't be read; incident {}", self.progress.incident);
        self.vault.judge(&self.options.label, &bad, &reason)?;
        Ok(())
    }

    fn read_from(&mut self, source: Sink, screen: &Screen) -> Result<()> {
        let name = name_of(&source);
        let good = |map: Option<Map>| map.map_or(0, |map| map.counts().good);
        let before = good(map_of(&self.papers.work())?);
        let wanted = RescueOptions {
            source,
            target: Some(Location::Path(self.papers.work()).into()),
            map: None,
            tries: self.options.tries,
            partition: None,
            same_tape: self.options.same_tape,
            reread_lost: false,
            on_bad: None,
            finish: true,
            leave_out: false,
            force: false,
            picture: None,
            raw_file: None,
            output: None,
            sha256: None,
        };
        let files = self.inventory.files()?;
        let mut told = |bad: &BadObject| self.met(&files, bad);
        work_telling(&wanted, screen, &mut told)?;
        let map = map_of(&self.papers.work())?.context("the map of what was read is there")?;
        let counts = map.counts();
        self.progress.tried.push(Tried {
            source: name,
            tries: self.options.tries,
            read_objects: counts.good.saturating_sub(before),
            missing_objects: counts.bad.saturating_add(counts.not_tried),
        });
        self.papers.save(&self.progress)
    }

    /// EN-08, EN-10. The catalog says that a file is bad before anybody is told; a kill forgets neither.
    fn met(&mut self, files: &[TapeFile], bad: &BadObject) -> Result<()> {
        let before = files
            .iter()
            .take_while(|file| file.first_object <= bad.object.0);
        let Some(file) = before.last() else {
            return Ok(());
        };
        if self.progress.told.contains(&file.number) {
            return Ok(());
        }
        let reason = format!(
            "object {} can't be read; incident {}",
            bad.object, self.progress.incident
        );
        self.vault.judge(
            &self.options.label,
            &[as_state(file, FileState::Bad)],
            &reason,
        )?;
        self.tell(file, Some(bad))
    }

    fn tell(&mut self, file: &TapeFile, bad: Option<&BadObject>) -> Result<()> {
        let Some(command) = &self.options.on_bad else {
            return Ok(());
        };
        if let Err(error) = notice::bad(command, &self.inventory, &self.progress, file, bad) {
            // A message that can't be delivered is no reason to leave a tape unread; the next run tries again.
            eprintln!("pseudotape: {error:#}");
            return Ok(());
        }
        self.progress.told.push(file.number);
        self.papers.save(&self.progress)
    }

    /// What each tape file is, now that all was read. Files that nobody wants are left out as they are.
    fn judge(&mut self) -> Result<Vec<Judged>> {
        let files = self.inventory.files()?;
        let work = self.papers.work();
        let map = map_of(&work)?.context("the map of what was read is there")?;
        let mut kept = Kept::open(&work)?;
        let must_end = self.options.reason == CloneReason::Write;
        let mut judged = Vec::new();
        for (at, known) in files.iter().enumerate() {
            let next = files.get(at + 1).map(|file| file.first_object);
            judged.push(kept.judge(known, next, map.end.is_some(), must_end)?);
        }
        let found: Vec<TapeFile> = judged.iter().map(|judged| judged.file.clone()).collect();
        let reason = format!(
            "it was read for a clone; incident {}",
            self.progress.incident
        );
        self.vault.judge(&self.options.label, &found, &reason)?;
        // What the catalog says counts: a person may have decided something.
        let now = self.vault.files(&self.options.label)?;
        for judged in &mut judged {
            let file = now.iter().find(|file| file.number == judged.file.number);
            if let Some(state @ (FileState::Released | FileState::Lost)) =
                file.map(|file| file.state)
            {
                judged.file.state = state;
            }
        }
        for (known, judged) in files.iter().zip(&judged) {
            if judged.file.state.is_faulty() && !self.progress.told.contains(&known.number) {
                self.tell(known, None)?;
            }
        }
        Ok(judged)
    }

    /// EN-09. The clone has the good files, in their order.
    fn write(&mut self, good: &[&Judged]) -> Result<Vec<ClonedFile>> {
        let numbers: Vec<u64> = good.iter().map(|judged| judged.file.number).collect();
        if self.progress.written.as_ref() == Some(&numbers) {
            return Ok(objects::numbered(good));
        }
        self.note_written(None)?;
        let mut kept = Kept::open(&self.papers.work())?;
        let mut to = open(&self.target)?;
        to.go_to(Some(0), 0)?;
        kept.write(good, &mut to)?;
        to.finish()?;
        self.note_written(Some(numbers))?;
        Ok(objects::numbered(good))
    }

    fn note_written(&mut self, files: Option<Vec<u64>>) -> Result<()> {
        self.progress.written = files;
        self.papers.save(&self.progress)
    }

    /// EN-11. From the medium: the host forgets first what it has of it in memory.
    fn scan(&mut self, good: &[&Judged]) -> Result<Contents> {
        forget(&self.target).with_context(|| self.target.display().to_string())?;
        let contents = read_contents(&self.target, Depth::Digests, &mut |_| {})?;
        if let Err(error) = scan(&self.target, good, &contents.files) {
            self.note_written(None)?;
            return Err(error);
        }
        Ok(contents)
    }

    fn held(&self, good: &[&Judged], cloned: &[ClonedFile]) -> Result<CloneReport> {
        let clone = read_contents(&self.target, Depth::Frames, &mut |_| {})?.files;
        ensure!(
            clone.len() == good.len(),
            "{}: not all was written",
            self.target.display()
        );
        let source = self.vault.files(&self.options.label)?;
        let report = report(
            self.options,
            &self.papers,
            &self.progress,
            None,
            &clone,
            &source,
            cloned,
        );
        with_copies(report, &self.vault, &self.options.label)
    }
}

/// Where a clone has its label already, the volume that was to become it is no more: it has that label.
fn done_before(vault: &Vault, options: &CloneVolume) -> Option<anyhow::Error> {
    let (damaged, _) = vault.clone_of(&options.label).ok()??;
    let kept = vault.volume_with(damaged).ok()??.label;
    Some(anyhow!(
        "{} is a clone already, and the damaged volume is kept as '{kept}'; there is no volume {}: to clone the clone, name \
         a blank volume with --to",
        options.label,
        options.to
    ))
}

fn as_state(file: &TapeFile, state: FileState) -> TapeFile {
    TapeFile {
        state,
        ..file.clone()
    }
}

fn order_of(options: &CloneVolume, progress: &Progress) -> Order {
    let by = options.by.clone().unwrap_or_else(this_user);
    Order::person(
        by,
        format!(
            "cloned because of a {}; incident {}",
            options.reason, progress.incident
        ),
    )
}

fn image(vault: &Vault, listed: &Listed) -> Result<PathBuf> {
    vault
        .image_of(&listed.volume)
        .with_context(|| format!("volume {} has no image in the vault", listed.volume.label))
}

fn open(image: &Path) -> Result<Tape> {
    let sink = Sink::from(Location::Path(image.to_owned()));
    let mut tape = Tape::open(&sink, Access::ReadWrite, Side::Second)?;
    tape.go_to(Some(0), 0)?;
    Ok(tape)
}

/// EN-03. Before the first byte.
fn ensure_alike(options: &CloneVolume, source: &Path, target: &Path) -> Result<()> {
    if options.force_type {
        return Ok(());
    }
    let header = |path: &Path| -> Result<_> {
        let (image, _) = Image::view(path).with_context(|| path.display().to_string())?;
        Ok(image.header().clone())
    };
    let differs = unlike(&header(source)?, &header(target)?);
    if !differs.is_empty() {
        bail!(
            "volume {} is of another kind than {}: {}; --force-type takes it nevertheless",
            options.to,
            options.label,
            differs.join("; ")
        );
    }
    Ok(())
}

/// The catalog knows what is on the volume: else good files would be left out, and nobody would hear of it.
fn expect_known(listed: &Listed, image: &Path) -> Result<()> {
    let (viewed, _) = Image::view(image).with_context(|| image.display().to_string())?;
    ensure!(
        listed.volume.image_generation == Some(viewed.generation()),
        "{} was written past the vault: 'pseudotape vault add {word}' tells the catalog what is on it",
        image.display(),
        word = shell_word(image)
    );
    Ok(())
}

/// The host forgets what it has of a file in memory.
pub(super) fn forget(path: &Path) -> std::io::Result<()> {
    use nix::fcntl::{PosixFadviseAdvice, posix_fadvise};
    let file = std::fs::File::open(path)?;
    file.sync_all()?;
    posix_fadvise(&file, 0, 0, PosixFadviseAdvice::POSIX_FADV_DONTNEED).map_err(Into::into)
}
