use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use pseudotape_image::{
    Access, CachePolicy, Error, FileStore, Folder, Found, Header, Inode, MemoryStore, VolumeId,
    Watch,
};

use crate::cartridge::{Cartridge, Change, Medium};
use crate::host::host_call;
use crate::names;
use crate::replacing::Replacing;

/// Partition 0 in this file, partition N beside it in a file with `.pN` behind its name.
///
/// Where a program was killed while it made partitions, a file can have another name until the cartridge is opened
/// for writing: [`FileMedium::settle`] knows these names.
#[derive(Clone, Debug)]
pub struct FileMedium {
    path: PathBuf,
    access: Access,
    watch: Watch,
    /// Partitions that are not where their number says.
    elsewhere: Vec<(u8, PathBuf)>,
    /// Files made for a volume that is not in place yet.
    staged: Vec<(Folder, OsString, Inode)>,
}

impl FileMedium {
    /// The cartridge whose first partition is the image at `path`.
    #[must_use]
    pub fn new(path: &Path, access: Access) -> Self {
        FileMedium {
            path: path.to_owned(),
            access,
            watch: Watch::default(),
            elsewhere: Vec::new(),
            staged: Vec::new(),
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
        let elsewhere = self.elsewhere.iter();
        match elsewhere.clone().find(|(number, _)| *number == partition) {
            Some((_, path)) => path.clone(),
            None => names::of_partition(self.path.as_os_str(), partition).into(),
        }
    }

    /// Finds the file of a partition behind the first one, and puts it where it belongs.
    fn settle_partition(&mut self, folder: &Folder, name: &OsStr, header: &Header, number: u8) {
        let proper = names::of_partition(name, number);
        let own =
            |entry: &OsStr| is_partition(&FileStore::found(folder, entry), header.volume, number);
        let found = [
            proper.clone(),
            names::staged(name, number, header.volume),
            names::parked(name, number, header.volume),
        ]
        .into_iter()
        .find(|entry| own(entry));
        let Some(mut found) = found else {
            // Opening it tells what is wrong.
            return;
        };
        let may_rename = self.access == Access::ReadWrite && found != proper;
        if may_rename && folder.rename_to_new(&found, folder, &proper).is_ok() {
            found = proper;
        }
        self.elsewhere.push((number, folder.path_of(&found)));
    }
}

/// Removes what the volume at `name` replaced, where a program was killed before it could.
fn remove_replaced(folder: &Folder, name: &OsStr, header: &Header) {
    // The old first partition changed names with the new one.
    let exchanged = names::staged(name, 0, header.volume);
    let Found::Image(old) = FileStore::found(folder, &exchanged) else {
        return;
    };
    if old.volume == header.volume || old.partition.0 != 0 {
        return;
    }
    for number in 1..old.partition_count {
        remove_if(folder, &names::parked(name, number, old.volume), |found| {
            is_partition(found, old.volume, number)
        });
    }
    remove_if(folder, &exchanged, |found| {
        is_partition(found, old.volume, 0)
    });
}

/// Removes what was made for volumes that never took their place: blank partitions.
fn remove_unfinished(folder: &Folder, name: &OsStr) {
    let entries = folder.names();
    let firsts = entries
        .iter()
        .filter_map(|entry| names::staged_first(name, entry));
    for volume in firsts {
        let is_blank =
            |found: &Found, number| *found == Found::Empty || is_partition(found, volume, number);
        // Where the first partition is another volume, the volume took its place.
        let first = FileStore::found(folder, &names::staged(name, 0, volume));
        if is_blank(&first, 0) {
            for number in (0..=u8::MAX).rev() {
                let entry = names::staged(name, number, volume);
                if entries.contains(&entry) {
                    remove_if(folder, &entry, |found| is_blank(found, number));
                }
            }
        }
    }
}

fn is_partition(found: &Found, volume: VolumeId, number: u8) -> bool {
    match found {
        Found::Image(header) => header.volume == volume && header.partition.0 == number,
        Found::Empty | Found::Other => false,
    }
}

/// Removes a leftover that is what its name says. What can't be removed lies there without harm.
fn remove_if(folder: &Folder, entry: &OsStr, is_leftover: impl Fn(&Found) -> bool) {
    if let Ok(Some(inode)) = folder.look(entry)
        && is_leftover(&FileStore::found(folder, entry))
    {
        // The data that count are elsewhere.
        drop(host_call(|| folder.remove(entry, inode)));
    }
}

fn home(store: &FileStore) -> Result<(&Folder, &OsStr), Error> {
    store.home().ok_or_else(|| Error::Nameless {
        path: store.path().to_owned(),
    })
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

    fn settle(&mut self, first: &FileStore, header: &Header) {
        let Some((folder, name)) = first.home() else {
            return;
        };
        self.elsewhere.clear();
        for number in 1..header.partition_count {
            self.settle_partition(folder, name, header, number);
        }
        if self.access == Access::ReadWrite && header.partition.0 == 0 {
            remove_replaced(folder, name, header);
        }
    }

    fn create(&mut self, partition: u8) -> Result<FileStore, Error> {
        let path = self.path_of(partition);
        let store = FileStore::create(&path)?;
        if let Some((folder, _)) = store.home() {
            // The partition is there. Its name is as safe as the folder lets it be.
            drop(folder.sync());
        }
        Ok(store)
    }

    fn stage(
        &mut self,
        first: &FileStore,
        volume: VolumeId,
        partition: u8,
    ) -> Result<FileStore, Error> {
        let (folder, name) = home(first)?;
        if partition == 0 {
            remove_unfinished(folder, name);
        }
        let entry = names::staged(name, partition, volume);
        host_call(|| Ok(())).map_err(|source| Error::Unopenable {
            path: folder.path_of(&entry),
            action: "create",
            source,
        })?;
        let store = FileStore::create_in(folder, &entry)?;
        self.staged.push((folder.clone(), entry, store.inode()));
        Ok(store)
    }

    fn replace(
        &mut self,
        change: Change,
        old: &[&FileStore],
        new: &mut [&mut FileStore],
    ) -> Result<(), Error> {
        let first = old.first().ok_or_else(|| Error::Nameless {
            path: self.path.clone(),
        })?;
        let (folder, name) = home(first)?;
        Replacing::new(folder, name, change, old).run(new)?;
        self.staged.clear();
        self.elsewhere.clear();
        Ok(())
    }

    fn discard(&mut self) {
        for (folder, entry, inode) in self.staged.drain(..).rev() {
            // An empty file that stays is removed before partitions are made the next time.
            drop(host_call(|| folder.remove(&entry, inode)));
        }
    }
}

impl Cartridge<FileMedium> {
    /// Where the first partition is: as the medium says, or where somebody moved the file while it was open.
    #[must_use]
    pub fn path(&self) -> &Path {
        let store = self.image(0).store();
        match store.was_renamed() {
            true => store.path(),
            false => self.medium().path(),
        }
    }

    /// What stays of it in the host's page cache: the same of every partition.
    #[must_use]
    pub fn cache(&self) -> CachePolicy {
        self.image(0).store().cache()
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
}
