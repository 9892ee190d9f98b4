//! The operator's actions on a drive: load and unload, write protection, reset.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, anyhow, bail, ensure};
use pseudotape_bay::{Error, Opened, is_plain_image, place_named};
use pseudotape_control::{Peer, mirror};
use pseudotape_image::WriteProtect;
use pseudotape_sink::{Lent, Sink};
use pseudotape_vault::{Label, vault_of};

use crate::drive_status::incomplete_from;
use crate::loading::Loading;
use crate::tape_drive::{DriveGuard, DriveState, TapeDrive};
use crate::vault::{Kept, Wanted};

impl TapeDrive {
    /// Loads a volume: the image at a path, or the volume of a specification (`zstd+image:PATH`, `rmt:HOST:TAPE`).
    pub fn load(&self, volume: &Path) -> Result<String> {
        self.load_sink(&sink_named(volume)?)
    }

    /// Loads a volume for a peer. Root and the daemon's own user may name any volume, other users only a lent one.
    pub fn load_for(&self, volume: &Path, lent: &Lent, peer: Peer) -> Result<String> {
        if let Some(side) = self.slave_side() {
            return Err(side.has_the_cartridges());
        }
        if let Some(legs) = self.legs_side() {
            return Err(legs.has_the_cartridges());
        }
        let sink = lent.find(&sink_named(volume)?)?;
        if !peer.is_own()
            && let Err(refused) = lent.check(&sink)
        {
            log::warn!(
                "drive {}: {peer} may not load {sink}: {refused}",
                self.number()
            );
            return Err(refused.into());
        }
        self.load_sink(&sink)
    }

    /// Loads a volume by its label, or a scratch volume, for a peer.
    pub fn load_wanted(&self, wanted: &Wanted, lent: &Lent, peer: Peer) -> Result<String> {
        let lent = (!peer.is_own()).then_some(lent);
        self.load_volume(wanted, lent)
    }

    /// Loads what a specification names. The image of a volume of the daemon's vault is loaded as that volume,
    /// whatever its path is.
    pub(crate) fn load_sink(&self, sink: &Sink) -> Result<String> {
        if let Some((image, label)) = self.volume_behind(sink)? {
            ensure!(
                is_plain_image(sink),
                "{} is volume {label} of the vault: it is loaded without filter and without limits",
                image.display()
            );
            let read_only = sink.read_only;
            return self.load_volume(&Wanted::Volume { label, read_only }, None);
        }
        let loading = self.begin_loading()?;
        let message = self.load_with(sink, &loading, None)?;
        let vault = sink.image_path().and_then(vault_of);
        Ok(match vault.filter(|_| !sink.read_only) {
            Some(vault) => {
                let warning = format!(
                    "it lies in the vault {}, which is not told of what is written: 'pseudotape vault add' tells it, or \
                     --vault lets this daemon do so",
                    vault.display()
                );
                log::warn!("drive {}: {sink}: {warning}", self.number());
                format!("{message}; {warning}")
            }
            None => message,
        })
    }

    /// The volume of the daemon's vault that a specification names by the path of its image.
    fn volume_behind<'a>(&self, sink: &'a Sink) -> Result<Option<(&'a Path, Label)>> {
        let (Some(volumes), Some(image)) = (&self.volumes, sink.image_path()) else {
            return Ok(None);
        };
        Ok(volumes.label_of(image)?.map(|label| (image, label)))
    }

    /// Loads a volume of the vault. Users to whom only some volumes are lent get no others.
    fn load_volume(&self, wanted: &Wanted, lent: Option<&Lent>) -> Result<String> {
        let volumes = self.volumes.as_ref().context(
            "this daemon has no vault: start it with --vault DIR, or 'vault = \"DIR\"' in its configuration",
        )?;
        let loading = self.begin_loading()?;
        let holds = self.state_with_cartridges()?.slot.loaded();
        if let Some(loaded) = holds {
            let holds = loaded.name.display().to_string();
            return Err(self.refusal(Error::Holds { holds }));
        }
        let number = self.number();
        let granted = volumes.grant(wanted, number)?;
        let volume = &granted.listed.volume;
        let sink = Sink {
            read_only: matches!(
                wanted,
                Wanted::Volume {
                    read_only: true,
                    ..
                }
            ),
            ..Sink::at(&granted.image)
        };
        let kept = Kept::new(Arc::clone(volumes), &granted, number);
        let allowed = lent.map_or(Ok(()), |lent| lent.check(&sink));
        let loaded = allowed
            .map_err(anyhow::Error::from)
            .and_then(|()| self.load_with(&sink, &loading, Some((&volume.label, kept))));
        let message = loaded.inspect_err(|_| volumes.take_back(volume.identity, number))?;
        Ok(match granted.is_unknown {
            true => {
                let warning = format!(
                    "volume {} was written past the vault: what is on it is not what its catalog says; 'pseudotape vault \
                     add {word}' tells it",
                    volume.label,
                    word = pseudotape_human::shell_word(&granted.image)
                );
                log::warn!("drive {number}: {warning}");
                format!("{message}\nwarning: {warning}")
            }
            false => message,
        })
    }

    /// Opens a volume and puts it in; where it is one of a vault, with its label and its keeper.
    fn load_with(
        &self,
        sink: &Sink,
        loading: &Loading<'_>,
        kept: Option<(&Label, Kept)>,
    ) -> Result<String> {
        // To open a volume can take long, so the drive's lock is not held meanwhile.
        let mut state = self.state_with_cartridges()?;
        ensure!(!state.holder.ending, "the daemon is ending");
        let expected = state.slot.expect(sink);
        expected.map_err(|error| self.refusal(error))?;
        drop(state);
        let opened = Opened::open(sink, loading.watch(Path::new(&sink.to_string())));
        let opened = opened.map_err(|error| self.refusal(error))?;
        state = self.state_with_cartridges()?;
        ensure!(!state.holder.ending, "the daemon is ending");
        let loaded = state.put_in(opened);
        let (mut name, reports) = loaded.map_err(|error| self.refusal(error))?;
        if let Some((label, kept)) = kept {
            name = format!("volume {label} ({name})");
            state.slot.keep(Box::new(kept));
        }
        self.tell_exchange(&mut state);
        self.news().tell();
        for report in reports.iter().filter(|report| !report.is_clean()) {
            log::warn!("drive {}: {name}: {report}", self.number());
        }
        if let Some(object) = incomplete_from(state.slot.volume().noted()) {
            log::warn!(
                "drive {}: {name} is no whole copy: what it misses begins with object {object}",
                self.number()
            );
        }
        let loaded = state.slot.loaded();
        let (read_only, notice) =
            loaded.map_or((None, None), |loaded| (loaded.read_only, loaded.notice));
        let read_only = match read_only {
            Some(why) => format!(", read only ({why})"),
            None => String::new(),
        };
        let number = self.number();
        log::info!("drive {number}: loaded {name}{read_only}");
        let notice = match notice {
            Some(notice) => {
                log::warn!("drive {number}: {name}: {notice}");
                format!("\nwarning: {notice}")
            }
            None => String::new(),
        };
        Ok(format!(
            "loaded {name} into drive {number}{read_only}{notice}"
        ))
    }

    /// Asks the mirror that this drive is.
    pub fn ask_mirror(&self, ask: mirror::Request, peer: Peer) -> Result<mirror::Response> {
        let number = self.number();
        let Some(legs) = self.legs_side() else {
            bail!(
                "drive {number} is no mirror of legs: 'legs' in its configuration makes it one; a pseudotape-mirror at \
                 its slave end is asked without --drive"
            );
        };
        if let mirror::Request::Unload { force: false } = ask {
            self.expect_closed()?;
        }
        let is_order = !matches!(
            ask,
            mirror::Request::Status | mirror::Request::Inject { .. }
        );
        let told = legs.act(ask, peer);
        if is_order {
            // An open may wait for the volumes that were loaded.
            self.news().tell();
        }
        Ok(told)
    }

    /// Refuses where a program has the drive open.
    fn expect_closed(&self) -> Result<()> {
        self.await_close();
        if let Some(opener) = &self.seen().opener {
            bail!(
                "drive {} is open by {opener}: end it first, or use --force",
                self.number()
            );
        }
        Ok(())
    }

    /// Takes the volume out: commits and closes it.
    pub fn unload(&self, force: bool) -> Result<String> {
        if let Some(legs) = self.legs_side() {
            if !force {
                self.expect_closed()?;
            }
            return legs.unload(force);
        }
        drop(self.state_with_cartridges()?);
        self.await_close();
        let mut state = self.state_with_cartridges()?;
        if let (Some(opener), false) = (&self.seen().opener, force) {
            bail!(
                "drive {} is open by {opener}: end it first, or use --force",
                self.number()
            );
        }
        let out = self.take_out(&mut state, force);
        let out = out.map_err(|error| match error.downcast_ref() {
            Some(Error::Unfindable { .. }) => {
                anyhow!("{error}, and --force takes it out all the same")
            }
            _ => error,
        });
        out?.with_context(|| format!("drive {} holds no cartridge", self.number()))
    }

    /// Sets or clears the write-protect switch of the cartridge.
    pub fn write_protect(&self, on: bool) -> Result<String> {
        drop(self.state_with_cartridges()?);
        self.await_close();
        let mut state = self.state_with_cartridges()?;
        ensure!(
            state.holder.open.is_none(),
            "drive {} is in use: the switch can't be moved while a program has it open",
            self.number()
        );
        let protection = if on {
            WriteProtect::On
        } else {
            WriteProtect::Off
        };
        let moved = state.slot.write_protect(protection);
        moved.map_err(|error| self.refusal(error))?;
        let what = if on { "write protected" } else { "writable" };
        Ok(format!(
            "the cartridge in drive {} is {what}",
            self.number()
        ))
    }

    /// Resets the drive: its position is lost until rewind.
    pub fn reset(&self) -> Result<String> {
        let reset = self.state_with_cartridges()?.slot.reset();
        reset.map_err(|error| self.refusal(error))?;
        log::info!("drive {}: reset", self.number());
        Ok(format!(
            "drive {} was reset: its position is lost until rewind",
            self.number()
        ))
    }

    /// Commits and closes the volume; says which volume was taken out, `None` where there was none.
    pub(crate) fn take_out(&self, state: &mut DriveState, force: bool) -> Result<Option<String>> {
        let number = self.number();
        let is_lost = state.slot.is_lost_when_closed();
        let out = state.take_out(force);
        self.tell_exchange(state);
        match out {
            Ok(name) => {
                match is_lost {
                    true => log::error!("drive {number}: unloaded {name}"),
                    false => log::info!("drive {number}: unloaded {name}"),
                }
                Ok(Some(format!("unloaded {name} from drive {number}")))
            }
            Err(Error::Empty) => Ok(None),
            Err(error @ Error::Unfinished { .. }) => {
                let message = error.to_string();
                log::error!("drive {number}: {message}");
                state.trouble = Some(message.clone());
                bail!("{message}");
            }
            Err(error) => Err(self.refusal(error)),
        }
    }

    /// The bay's error in the daemon's words: only the daemon knows the drive's number.
    fn refusal(&self, error: Error) -> anyhow::Error {
        let number = self.number();
        match error {
            Error::Holds { holds } => {
                anyhow!("drive {number} already holds {holds}: unload it first")
            }
            Error::Empty => anyhow!("drive {number} holds no cartridge"),
            Error::Locked => anyhow!(
                "drive {number} is locked by a program ('mt lock'): 'mt unlock' unlocks it, --force takes the cartridge out all the same"
            ),
            error => anyhow::Error::from(error),
        }
    }

    /// The lock of a drive into which volumes are loaded here. The lock of a drive with a slave can be held for long,
    /// and is not waited for.
    fn state_with_cartridges(&self) -> Result<DriveGuard<'_>> {
        if let Some(legs) = self.legs_side() {
            return Err(legs.has_the_cartridges());
        }
        match self.slave_side() {
            Some(side) => Err(side.has_the_cartridges()),
            None => Ok(self.state()),
        }
    }
}

fn sink_named(volume: &Path) -> Result<Sink> {
    Ok(match volume.to_str() {
        Some(text) => place_named(text)?,
        None => Sink::at(volume),
    })
}
