use std::path::{Path, PathBuf};

use pseudotape_image::{Access, Error, FileStore, MemoryStore, Watch};

use crate::cartridge::Medium;
use crate::making::commit_name;

/// Partition 0 in this file, partition N beside it in a file with `.pN` behind its name.
#[derive(Clone, Debug)]
pub struct FileMedium {
    path: PathBuf,
    access: Access,
    watch: Watch,
}

impl FileMedium {
    /// The cartridge whose first partition is the image at `path`.
    #[must_use]
    pub fn new(path: &Path, access: Access) -> Self {
        FileMedium {
            path: path.to_owned(),
            access,
            watch: Watch::default(),
        }
    }

    /// The same, with somebody who watches the opening of its images.
    #[must_use]
    pub fn watched(mut self, watch: Watch) -> Self {
        self.watch = watch;
        self
    }

    /// The image of the first partition.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file of a partition.
    #[must_use]
    pub fn path_of(&self, partition: u8) -> PathBuf {
        if partition == 0 {
            return self.path.clone();
        }
        let mut name = self.path.clone().into_os_string();
        name.push(format!(".p{partition}"));
        name.into()
    }
}

impl Medium for FileMedium {
    type Store = FileStore;

    fn access(&self) -> Access {
        self.access
    }

    fn open(&mut self, partition: u8) -> Result<FileStore, Error> {
        let store = FileStore::open(&self.path_of(partition), self.access)?;
        Ok(store.watched(self.watch.clone()))
    }

    fn create(&mut self, partition: u8) -> Result<FileStore, Error> {
        self.remove(partition)?;
        let path = self.path_of(partition);
        let store = FileStore::create(&path)?;
        // The partition is there. Its name is as safe as the directory lets it be.
        drop(commit_name(&path));
        Ok(store)
    }

    fn remove(&mut self, partition: u8) -> Result<(), Error> {
        let path = self.path_of(partition);
        match std::fs::remove_file(&path) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                Err(Error::Unopenable {
                    path,
                    action: "remove",
                    source,
                })
            }
            _ => Ok(()),
        }
    }
}

/// Partitions in memory, for tests; they are gone when the cartridge is.
#[derive(Clone, Debug, Default)]
pub struct MemoryMedium;

impl Medium for MemoryMedium {
    type Store = MemoryStore;

    fn access(&self) -> Access {
        Access::ReadWrite
    }

    fn open(&mut self, _partition: u8) -> Result<MemoryStore, Error> {
        Ok(MemoryStore::default())
    }

    fn create(&mut self, _partition: u8) -> Result<MemoryStore, Error> {
        Ok(MemoryStore::default())
    }

    fn remove(&mut self, _partition: u8) -> Result<(), Error> {
        Ok(())
    }
}
