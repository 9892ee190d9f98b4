use std::path::{Path, PathBuf};

use pseudotape_filter::Compression;
use pseudotape_image::CachePolicy;

/// Where a volume ends, where the specification says so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of blocks up to the physical end.
    pub capacity_bytes: Option<u64>,
    /// Length of the early-warning zone.
    pub early_warning_bytes: Option<u64>,
}

/// An image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageSink {
    /// Its file.
    pub path: PathBuf,
    /// Whether to make it where it is not there.
    pub create: bool,
    /// In place of the image's own; of a new image they become its own.
    pub limits: Limits,
    /// What stays of it in the host's page cache; `None`: as its drive was configured.
    pub cache: Option<CachePolicy>,
}

/// A tape behind an rmt server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RmtSink {
    /// `[USER@]HOST:TAPE`.
    pub tape: String,
    /// The server's program on the host, where it is not the usual one.
    pub server: Option<String>,
    /// The program in place of ssh.
    pub remote_shell: Option<String>,
    /// A whole command that speaks the protocol, words between blanks: then the host is only a name.
    pub command: Option<String>,
}

/// Where the blocks go in the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// Whatever is at this path: an image or a tape node.
    Path(PathBuf),
    /// An image.
    Image(ImageSink),
    /// A tape node.
    Device(PathBuf),
    /// A tape behind an rmt server.
    Rmt(RmtSink),
    /// Nowhere.
    Null(Limits),
}

/// What a text names: a place for a volume, perhaps behind a filter. Nothing is opened yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sink {
    /// How blocks are compressed, if they are.
    pub compression: Option<Compression>,
    /// The file with the key by which blocks are encrypted, if they are.
    pub key_file: Option<PathBuf>,
    /// Whether blocks of the key are read wherever they lie, and nothing is written.
    pub anywhere: bool,
    /// Whether it is opened for reading only, whatever its opener wants. A bare path has no option for that.
    pub read_only: bool,
    /// Where they go.
    pub place: Location,
}

impl Sink {
    /// The image or tape node at a path.
    #[must_use]
    pub fn at(path: &Path) -> Self {
        Location::Path(path.to_owned()).into()
    }

    /// The same with every path absolute: for a program that runs in another directory.
    pub fn absolute(&self) -> std::io::Result<Self> {
        let mut sink = self.clone();
        match &mut sink.place {
            Location::Path(path) | Location::Device(path) => *path = std::path::absolute(&path)?,
            Location::Image(image) => image.path = std::path::absolute(&image.path)?,
            Location::Rmt(_) | Location::Null(_) => {}
        }
        if let Some(key) = &mut sink.key_file {
            *key = std::path::absolute(&key)?;
        }
        Ok(sink)
    }

    /// As [`Sink::absolute`], for a daemon that is asked: a plain name of an image that is not in this directory stays
    /// a name, which the daemon looks for in the folders that it lends.
    pub fn as_asked(&self) -> std::io::Result<Self> {
        let mut sink = self.absolute()?;
        let asked = match (&self.place, &mut sink.place) {
            (Location::Path(from), Location::Path(to)) => Some((from, to)),
            (Location::Image(from), Location::Image(to)) if !from.create => {
                Some((&from.path, &mut to.path))
            }
            _ => None,
        };
        if let Some((from, to)) = asked
            && from.file_name() == Some(from.as_os_str())
            && to.symlink_metadata().is_err()
        {
            to.clone_from(from);
        }
        Ok(sink)
    }

    /// Whether blocks are changed on their way.
    #[must_use]
    pub fn is_filtered(&self) -> bool {
        self.compression.is_some() || self.key_file.is_some()
    }

    /// The path, where the sink is an image, or may be one.
    #[must_use]
    pub fn image_path(&self) -> Option<&Path> {
        match &self.place {
            Location::Path(path) => Some(path),
            Location::Image(image) => Some(&image.path),
            Location::Device(_) | Location::Rmt(_) | Location::Null(_) => None,
        }
    }
}

impl From<Location> for Sink {
    fn from(place: Location) -> Self {
        Sink {
            compression: None,
            key_file: None,
            anywhere: false,
            read_only: false,
            place,
        }
    }
}
