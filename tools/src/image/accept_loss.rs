use std::fmt::Write;
use std::path::PathBuf;

use pseudotape_drive::{Cartridge, CartridgeError, FileMedium};
use pseudotape_human::{HumanBytes, Report, Screen};
use pseudotape_image::{Access, Missing};
use serde::Serialize;

use super::explained;
use crate::Verdict;
use crate::cli::AcceptLossOptions;

#[derive(Debug, Serialize)]
struct Accepted {
    image: PathBuf,
    /// One for each partition that missed data; empty where nothing was missing.
    losses: Vec<Loss>,
}

#[derive(Debug, Serialize)]
struct Loss {
    partition: u8,
    from_object: u64,
    bytes: u64,
}

impl From<(u8, Missing)> for Loss {
    fn from((partition, missing): (u8, Missing)) -> Self {
        Loss {
            partition,
            from_object: missing.from_object,
            bytes: missing.bytes,
        }
    }
}

impl Report for Accepted {
    fn text(&self, _: &Screen) -> String {
        let image = self.image.display();
        if self.losses.is_empty() {
            return format!("{image}: no committed data are missing: nothing was changed\n");
        }
        let mut text = String::new();
        for loss in &self.losses {
            let (partition, object) = (loss.partition, loss.from_object);
            let bytes = HumanBytes(loss.bytes);
            writeln!(
                text,
                "{image}: partition {partition} can be written again; its marking says that data from object {object} on \
                 were lost ({bytes})"
            )
            .expect("a String takes everything");
        }
        text
    }
}

pub(crate) fn run(options: &AcceptLossOptions, screen: &Screen) -> anyhow::Result<Verdict> {
    let image = &options.image;
    let medium = FileMedium::new(image, Access::ReadWrite);
    let (mut cartridge, _) = Cartridge::open(medium).map_err(|error| match error {
        CartridgeError::Image(error) => explained(image, error),
        CartridgeError::Mismatch { .. } => error.into(),
    })?;
    let losses = cartridge
        .accept_loss()
        .map_err(|error| explained(image, error))?;
    if !losses.is_empty() {
        let finished = cartridge.finish();
        finished.map_err(|error| explained(image, error))?;
    }
    screen.show(&Accepted {
        image: image.clone(),
        losses: losses.into_iter().map(Loss::from).collect(),
    })?;
    Ok(Verdict::Well)
}
