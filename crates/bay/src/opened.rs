//! A volume on its way into a slot.

use std::path::Path;

use pseudotape_drive::{Cartridge, CartridgeError, FileMedium};
use pseudotape_image::{Access, OpenReport, Watch};
use pseudotape_sink::{Location, START_BYTES, Sink, notice_of_block};

use crate::error::Error;
use crate::guest::Guest;

/// A volume that was opened for a slot and is not in it yet. Opening needs no slot, and so no lock.
pub struct Opened {
    /// How it is called in messages.
    pub(crate) name: String,
    /// What its first block says of a filter that is missing or another one.
    pub(crate) notice: Option<String>,
    pub(crate) content: OpenedContent,
}

pub(crate) enum OpenedContent {
    /// An image, for a drive of ours.
    Image {
        cartridge: Box<Cartridge<FileMedium>>,
        reports: Vec<OpenReport>,
        /// Why it can only be read, where that is not what was asked for.
        refusal: Option<String>,
    },
    /// A volume that brings its own drive.
    Guest(Box<Guest>),
}

impl Opened {
    /// Second step of a load, between [`Slot::expect`](crate::Slot::expect) and [`Slot::put_in`](crate::Slot::put_in).
    /// The watch sees an image that goes into a drive of ours being read.
    pub fn open(sink: &Sink, watch: Watch) -> Result<Self, Error> {
        let Some(path) = plain_image(sink) else {
            return Self::guest(sink);
        };
        let access = match sink.read_only {
            true => Access::ReadOnly,
            false => Access::ReadWrite,
        };
        let mut opened = Self::image(path, access, &watch)?;
        if let OpenedContent::Image { cartridge, .. } = &mut opened.content
            && let Location::Image(image) = &sink.place
            && let Some(policy) = image.cache
        {
            cartridge.set_cache(policy);
        }
        Ok(opened)
    }

    fn image(path: &Path, access: Access, watch: &Watch) -> Result<Self, Error> {
        let name = path.display().to_string();
        match open_cartridge(path, access, watch) {
            (Ok((mut cartridge, reports)), refusal) => Ok(Opened {
                name,
                notice: notice(&mut cartridge),
                content: OpenedContent::Image {
                    cartridge: Box::new(cartridge),
                    reports,
                    refusal,
                },
            }),
            (Err(source), _) => Err(Error::Image { name, source }),
        }
    }

    fn guest(sink: &Sink) -> Result<Self, Error> {
        let name = sink.to_string();
        let mut opened = sink.open_as_allowed().map_err(|source| Error::Sink {
            name: name.clone(),
            source,
        })?;
        Ok(Opened {
            notice: sink.notice(&mut *opened.volume),
            content: OpenedContent::Guest(Box::new(Guest::new(opened, sink.clone()))),
            name,
        })
    }
}

fn notice(cartridge: &mut Cartridge<FileMedium>) -> Option<String> {
    let mut start = [0; START_BYTES];
    let bytes = cartridge.first_block(&mut start)?;
    start
        .get(..bytes)
        .and_then(notice_of_block)
        .map(str::to_owned)
}

/// Whether a specification names an image that goes into a drive of ours.
#[must_use]
pub fn is_plain_image(sink: &Sink) -> bool {
    plain_image(sink).is_some()
}

/// The image that goes into a drive of ours: one that is there, without a filter and without limits of its own.
pub(crate) fn plain_image(sink: &Sink) -> Option<&Path> {
    if sink.is_filtered() {
        return None;
    }
    match &sink.place {
        // A path to something else is told what it is when it is opened.
        Location::Path(path) if !sink.is_node() => Some(path),
        Location::Image(image) if !image.create && image.limits == Default::default() => {
            Some(&image.path)
        }
        Location::Path(_)
        | Location::Image(_)
        | Location::Device(_)
        | Location::Rmt(_)
        | Location::Null(_) => None,
    }
}

type OpenedCartridge = Result<(Cartridge<FileMedium>, Vec<OpenReport>), CartridgeError>;

/// Opens an image for as much as the host allows; says why that is less than what was wanted.
fn open_cartridge(
    image: &Path,
    access: Access,
    watch: &Watch,
) -> (OpenedCartridge, Option<String>) {
    let open = |access| {
        let medium = FileMedium::new(image, access).watched(watch.clone());
        let mut opened = Cartridge::open(medium);
        if let Ok((cartridge, _)) = &mut opened {
            cartridge.use_for_itself();
        }
        opened
    };
    match open(access) {
        Err(error) if access == Access::ReadWrite && error.leaves_reading() => {
            let refusal = error.to_string();
            (open(Access::ReadOnly).or(Err(error)), Some(refusal))
        }
        opened => (opened, None),
    }
}
