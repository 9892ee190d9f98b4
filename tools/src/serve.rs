//! `pseudotape serve`: an image on the slave end of a drive.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail};
use pseudotape_drive::{
    Cartridge, CartridgeError, EarlyWarning, FileMedium, ImageDrive, Overrides, Personality,
};
use pseudotape_human::{Portion, Report, Screen, did_you_mean};
use pseudotape_image::Access;
use pseudotape_sink::{START_BYTES, notice_of_block};
use pseudotape_slave::{Channel, serve};
use serde::Serialize;

use crate::Verdict;
use crate::cli::ServeOptions;
use crate::ending::{Event, Events};
use crate::image::explained;
use crate::serve_drive::{SharedDrive, TakenOut};

/// What is said once the slave end is held.
#[derive(Debug, Serialize)]
struct Serving {
    image: PathBuf,
    on: PathBuf,
    write_protected: bool,
}

impl Report for Serving {
    fn text(&self, _: &Screen) -> String {
        let protected = if self.write_protected {
            ", write protected"
        } else {
            ""
        };
        let (image, on) = (self.image.display(), self.on.display());
        format!("{image} is the cartridge of the drive behind {on}{protected}\n")
    }
}

pub(crate) fn run(options: &ServeOptions, screen: &Screen) -> anyhow::Result<Verdict> {
    let personality = Personality::named(&options.personality).with_context(|| {
        let known: Vec<_> = Personality::ALL.iter().map(|p| p.name).collect();
        format!(
            "unknown personality '{}'{}: there are {}",
            options.personality,
            did_you_mean(&options.personality, known.iter().copied()),
            known.join(", ")
        )
    })?;
    let mut cartridge = open(&options.image)?;
    let mut start = [0; START_BYTES];
    let first = cartridge.first_block(&mut start);
    let first = first.and_then(|bytes| start.get(..bytes));
    if let Some(notice) = first.and_then(notice_of_block) {
        eprintln!("pseudotape: {}: {notice}", options.image.display());
    }
    let serving = Serving {
        image: options.image.clone(),
        on: options.on.clone(),
        write_protected: cartridge.is_write_protected(),
    };
    let overrides = Overrides {
        capacity_bytes: options.capacity,
        early_warning: options.early_warning.map(|zone| match zone {
            Portion::Bytes(bytes) => EarlyWarning::Bytes(bytes),
            Portion::PerCent(hundredths) => EarlyWarning::PerCent(hundredths),
        }),
        cache: None,
    };
    // Before the slave end is held, so that an early signal ends cleanly as well.
    let events = Events::listen()?;
    let mut drive = ImageDrive::new(personality, options.serial.clone(), overrides);
    if drive.insert(cartridge).is_err() {
        bail!("a new drive is empty");
    }
    let on = options.on.display();
    let channel = Channel::open(&options.on).with_context(|| {
        format!(
            "can't take the slave end {on}: 'pseudotape status' shows who holds it, and which \
             drives have one"
        )
    })?;
    screen.show(&serving)?;
    let drive = SharedDrive::new(drive, Arc::clone(&events.ending));
    let mut served = drive.clone();
    let event = events.wait_for(move || Ok(serve(&mut served, channel)?))?;
    let TakenOut { cartridge, cut } = drive.take_out();
    if let Some(cartridge) = cartridge {
        cartridge
            .finish()
            .map_err(|error| explained(&options.image, error))?;
    }
    match event {
        Event::Served(result) => {
            result.with_context(|| format!("no longer the drive behind {on}"))?;
            eprintln!("pseudotape: the daemon behind {on} hung up");
            Ok(Verdict::Well)
        }
        Event::Signal(signal) => {
            let image = options.image.display();
            eprintln!(
                "pseudotape: signal {signal}: {image} is committed, and no longer behind {on}"
            );
            let Some(at) = cut else {
                return Ok(Verdict::Well);
            };
            eprintln!(
                "pseudotape: a program was writing: its tape file ends before object {}, without a filemark, and whatever \
                 the program had still to write is not on the tape",
                at.object
            );
            Ok(Verdict::Cut)
        }
    }
}

/// A file that can't be written is a protected cartridge, as on any drive.
fn open(image: &Path) -> anyhow::Result<Cartridge<FileMedium>> {
    let open = |access| {
        let mut opened = Cartridge::open(FileMedium::new(image, access));
        if let Ok((cartridge, _)) = &mut opened {
            cartridge.use_for_itself();
        }
        opened
    };
    let opened = match open(Access::ReadWrite) {
        Err(error) if error.leaves_reading() => {
            let opened = open(Access::ReadOnly);
            if opened.is_ok() {
                eprintln!("pseudotape: {error}: opened for reading only");
            }
            opened
        }
        opened => opened,
    };
    match opened {
        Ok((cartridge, reports)) => {
            for report in reports.iter().filter(|report| !report.is_clean()) {
                eprintln!("pseudotape: {}: {report}", image.display());
            }
            Ok(cartridge)
        }
        Err(CartridgeError::Image(error)) => Err(explained(image, error)),
        Err(error @ CartridgeError::Mismatch { .. }) => Err(error.into()),
    }
}
