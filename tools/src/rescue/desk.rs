//! The files of a rescue: the image of what is rescued, the map, the image of what was found later.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use pseudotape_drive::make_volume;
use pseudotape_image::CreateParameters;
use pseudotape_rescue::{Error, Map, Workplace};
use pseudotape_sink::{Access, Location, Sink};
use pseudotape_tape::{Volume, make_ready};

use super::lock::Lock;
use crate::image::Opened;
use crate::image::create::fresh;

/// A map is text, a line for each damaged place.
const MAP_BYTES_MAX: u64 = 1 << 30;

/// Where everything lies.
#[derive(Clone, Debug)]
pub(crate) struct Desk {
    base: PathBuf,
    /// The map.
    pub(crate) map: PathBuf,
    /// The image of what is rescued is the target itself.
    direct: bool,
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(ending);
    name.into()
}

impl Desk {
    /// The desk of a rescue into an image.
    pub(crate) fn of_image(image: &Path, map: Option<&Path>) -> Self {
        Desk {
            base: image.to_owned(),
            map: map.map_or_else(|| with_ending(image, ".rescue"), Path::to_owned),
            direct: true,
        }
    }

    pub(crate) fn find(target: &Sink, map: Option<&Path>) -> Result<Self> {
        if let Some(image) = plain_image(target)? {
            return Ok(Desk::of_image(&image, map));
        }
        let map = map.with_context(|| {
            format!(
                "{target} is no image, so it is written when everything was read: --map FILE says where the map \
                 lies until then; what is read lies beside it, in FILE.ptape"
            )
        })?;
        Ok(Desk {
            base: with_ending(map, ".ptape"),
            map: map.to_owned(),
            direct: false,
        })
    }

    /// Whether what is rescued lies in the target itself.
    pub(crate) fn is_direct(&self) -> bool {
        self.direct
    }

    pub(crate) fn base_path(&self) -> &Path {
        &self.base
    }

    pub(crate) fn base(&self) -> Sink {
        Location::Path(self.base.clone()).into()
    }

    pub(crate) fn found_path(&self) -> PathBuf {
        with_ending(&self.map, ".found")
    }

    /// An image that is not whole yet.
    pub(crate) fn making(&self) -> PathBuf {
        with_ending(&self.base, ".rescue.making.ptape")
    }

    /// Where a rescue says that it is at work.
    pub(crate) fn lock_path(&self) -> PathBuf {
        with_ending(&self.base, ".rescue.lock")
    }

    /// The same, of what was found later, which lies beside the map.
    fn making_found(&self) -> PathBuf {
        with_ending(&self.map, ".making.ptape")
    }

    fn old(&self) -> PathBuf {
        with_ending(&self.map, ".old")
    }

    /// Removes what a kill left of an image that was being made.
    pub(crate) fn clear_leftovers(&self) -> Result<()> {
        remove(&self.making())?;
        remove(&self.making_found())
    }

    /// Reads the map, where there is one.
    pub(crate) fn load(&self) -> Result<Option<Map>> {
        let name = self.map.display();
        let length = match fs::metadata(&self.map) {
            Ok(metadata) => {
                ensure!(
                    metadata.is_file(),
                    "{name} is no regular file: a map of a rescue is one"
                );
                metadata.len()
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                ensure!(
                    !self.found_path().exists(),
                    "{name} is not there, and {} is: bring the map back (the one before it may be {}), or remove that \
                     image to begin anew",
                    self.found_path().display(),
                    self.old().display()
                );
                return Ok(None);
            }
            Err(error) => return Err(error).with_context(|| name.to_string()),
        };
        ensure!(
            length <= MAP_BYTES_MAX,
            "{name}: it is too long for a map of a rescue"
        );
        let text = fs::read(&self.map).with_context(|| name.to_string())?;
        let map = Map::from_text(&text).with_context(|| {
            format!(
                "{name}: the one before it is {}: put that in its place, and what was read since is taken from the \
                 images again",
                self.old().display()
            )
        })?;
        Ok(Some(map))
    }

    pub(crate) fn save_map(&self, map: &Map) -> Result<()> {
        self.put(&map.to_text())
            .with_context(|| format!("can't save the map {}", self.map.display()))
    }

    fn put(&self, map: &str) -> io::Result<()> {
        in_place(&self.map, map.as_bytes(), Some(&self.old()))
    }

    /// A blank image that is the same volume as the one of what is rescued.
    pub(crate) fn make_like_base(&self, path: &Path) -> Result<()> {
        remove(path)?;
        let opened = Opened::for_reading(&self.base, 0)?;
        let parameters = CreateParameters {
            header: opened.image.header().clone(),
            label: opened.image.label().to_owned(),
            barcode: opened.image.barcode().to_owned(),
        };
        Ok(make_volume(path, &parameters)?)
    }

    pub(crate) fn open_found(&self) -> Result<Box<dyn Volume>> {
        let path = self.found_path();
        if !path.exists() {
            let making = self.making_found();
            remove(&making)?;
            make_volume(&making, &fresh()?)?;
            rename(&making, &path)?;
        }
        let sink = Sink::from(Location::Path(path.clone()));
        let mut volume = sink.open(Access::ReadWrite)?;
        make_ready(&mut volume).with_context(|| path.display().to_string())?;
        Ok(volume)
    }

    pub(crate) fn remove_found(&self) -> Result<()> {
        remove(&self.found_path())
    }
}

impl Workplace for Desk {
    fn save(&mut self, map: &str) -> Result<(), Error> {
        self.put(map).map_err(|error| {
            Error::Keeping(format!(
                "can't save the map {}: {error}",
                self.map.display()
            ))
        })
    }

    fn has_found(&self) -> bool {
        self.found_path().exists()
    }

    fn found(&mut self) -> Result<Box<dyn Volume>, Error> {
        self.open_found()
            .map_err(|error| Error::Keeping(format!("{error:#}")))
    }
}

/// The path of a target that is a plain image, or is to become one.
fn plain_image(target: &Sink) -> Result<Option<PathBuf>> {
    let Some(path) = target.image_path().filter(|_| !target.is_filtered()) else {
        return Ok(None);
    };
    if !path.exists() {
        ensure!(
            path.extension() == Some("ptape".as_ref()),
            "{} is not there: an image that is to be made has a name that ends in .ptape",
            path.display()
        );
        return Ok(Some(path.to_owned()));
    }
    if target.is_node() {
        return Ok(None);
    }
    // A node of a FUSE mount looks like a file: opening it tells.
    let opened = target.open(Access::ReadOnly);
    let opened = opened.map_err(|error| match &error {
        pseudotape_sink::Error::Image(reason @ pseudotape_image::Error::InUse { .. }) => {
            let lock = Desk::of_image(path, None).lock_path();
            Lock::holder(&lock, path).unwrap_or_else(|| crate::image::in_use(reason))
        }
        _ => error.into(),
    })?;
    let is_image = opened.volume_identity().id.is_some();
    Ok(is_image.then(|| path.to_owned()))
}

fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("can't remove {}", path.display()))
        }
        Ok(()) | Err(_) => {
            passed("removed");
            Ok(())
        }
    }
}

/// Is told what was done.
#[cfg(test)]
pub(super) type Watch = Box<dyn FnMut(&'static str)>;

#[cfg(test)]
thread_local! {
    /// Looks at what is on the disk, each time that it became another state.
    pub(super) static WATCH: std::cell::RefCell<Option<Watch>> =
        const { std::cell::RefCell::new(None) };
}

/// A kill or a loss of power may come here: a test looks at what would be left.
pub(super) fn passed(what: &'static str) {
    #[cfg(test)]
    WATCH.with_borrow_mut(|watch| {
        if let Some(watch) = watch {
            watch(what);
        }
    });
    let _ = what;
}

/// Gives a file another name, and brings that to stable storage.
pub(crate) fn rename(from: &Path, to: &Path) -> Result<()> {
    let renamed = fs::rename(from, to);
    passed("renamed");
    renamed
        .and_then(|()| sync_folder(to))
        .with_context(|| format!("can't rename {} to {}", from.display(), to.display()))
}

fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

/// Puts bytes in the place of a file, at one stroke: whatever ends this, the old file is there or the new one. The old
/// one stays under another name, where that is wanted.
pub(crate) fn in_place(path: &Path, bytes: &[u8], old: Option<&Path>) -> io::Result<()> {
    let new = with_ending(path, ".new");
    let written = File::create(&new).and_then(|mut file| {
        file.write_all(bytes)?;
        passed("map written");
        file.sync_all()
    });
    if let Err(error) = written {
        // A full disk: what is there of it is of use to nobody.
        drop(fs::remove_file(&new));
        return Err(error);
    }
    if let Some(old) = old
        && path.exists()
    {
        match fs::remove_file(old) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        passed("old map removed");
        fs::hard_link(path, old).or_else(|_| fs::copy(path, old).map(drop))?;
        passed("old map kept");
    }
    fs::rename(&new, path)?;
    passed("map renamed");
    sync_folder(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_and_the_one_before_it_is_kept() {
        let directory = tempfile::tempdir().expect("a directory");
        let (path, old) = (
            directory.path().join("map"),
            directory.path().join("map.old"),
        );
        for (text, before) in [("one", None), ("two", Some("one")), ("three", Some("two"))] {
            in_place(&path, text.as_bytes(), Some(&old)).expect("it is written");
            assert_eq!(fs::read_to_string(&path).expect("it is there"), text);
            assert_eq!(fs::read_to_string(&old).ok().as_deref(), before);
        }
        assert_eq!(
            fs::read_dir(directory.path()).expect("it is there").count(),
            2
        );
        assert!(in_place(&directory.path().join("no/map"), b"", None).is_err());
    }
}
