//! A volume in files takes the place of another one: the old or the new, whenever the program or the host dies.

use std::ffi::{OsStr, OsString};
use std::io;

use pseudotape_image::{Error, FileStore, Folder, FolderSync, Inode};

use crate::cartridge::Change;
use crate::host::host_call;
use crate::names;

/// One partition of the old volume that was given another name.
struct Parked {
    folder: Folder,
    name: OsString,
    parked: OsString,
}

/// Puts new files in the place of old ones.
///
/// The first partition says which volume it is and how many others there are, so that the volume changes at one
/// stroke when the first partitions change their names. Everything before can be undone; what comes behind is put
/// right at the next opening.
///
/// | step | who dies here leaves |
/// |---|---|
/// | new files are made and committed under names of their own | the old volume |
/// | other partitions of the old volume get names of their own | the old volume; they are found under these names |
/// | the names are committed | the same |
/// | the first partitions change their names; the folder is committed | the old or the new volume |
/// | other partitions of the new volume get their names | the new volume; they are found under both names |
/// | the old files are removed | the new volume, and old files that the next opening removes |
///
/// No file goes that is not the old volume's: what a name leads to is looked at before and, where the file system
/// can exchange two names, also afterwards.
pub(crate) struct Replacing<'a> {
    folder: &'a Folder,
    name: &'a OsStr,
    change: Change,
    old: &'a [&'a FileStore],
    parked: Vec<Parked>,
}

impl<'a> Replacing<'a> {
    /// `name` in `folder` is the first of the old files.
    pub(crate) fn new(
        folder: &'a Folder,
        name: &'a OsStr,
        change: Change,
        old: &'a [&'a FileStore],
    ) -> Self {
        Replacing {
            folder,
            name,
            change,
            old,
            parked: Vec::new(),
        }
    }

    /// All steps; an error left the old volume where it was.
    pub(crate) fn run(mut self, new: &mut [&mut FileStore]) -> Result<(), Error> {
        self.check(new)?;
        let sync = host_call(|| self.folder.for_sync())
            .map_err(|source| self.error("commit the folder of", self.name, source))?;
        let changed = self.park().and_then(|()| self.change(&sync));
        if let Err(error) = changed {
            self.unpark();
            return Err(error);
        }
        self.put_others_in_place(new);
        self.remove_old();
        // The volume has changed, and all its names are known to the next opening.
        drop(host_call(|| sync.sync()));
        Ok(())
    }

    /// Every name leads to what it should, and no other file is in the way.
    fn check(&self, new: &[&mut FileStore]) -> Result<(), Error> {
        for store in self.old {
            let (folder, name) = store.home().ok_or_else(|| Error::Nameless {
                path: store.path().to_owned(),
            })?;
            self.expect(folder, name, Some(store.inode()))?;
        }
        for number in (1..=u8::MAX).take(new.len().saturating_sub(1)) {
            let name = names::of_partition(self.name, number);
            let found = self.look(self.folder, &name)?;
            if found.is_some_and(|found| self.old.iter().all(|store| store.inode() != found)) {
                return Err(self.not_own(self.folder, &name));
            }
        }
        Ok(())
    }

    /// Gives the other partitions of the old volume names under which they are found and in nobody's way.
    fn park(&mut self) -> Result<(), Error> {
        for (number, store) in (0..).zip(self.old).skip(1) {
            let Some((folder, name)) = store.home() else {
                continue;
            };
            let parked = names::parked(self.name, number, self.change.old);
            host_call(|| folder.rename_to_new(name, self.folder, &parked))
                .map_err(|source| self.error("rename", name, source))?;
            self.parked.push(Parked {
                folder: folder.clone(),
                name: name.to_owned(),
                parked: parked.clone(),
            });
            if self.look(self.folder, &parked)? != Some(store.inode()) {
                return Err(self.not_own(folder, name));
            }
        }
        Ok(())
    }

    fn unpark(&mut self) {
        for parked in self.parked.drain(..) {
            // Where this fails, the partition is found under the name that it has.
            drop(host_call(|| {
                self.folder
                    .rename_to_new(&parked.parked, &parked.folder, &parked.name)
            }));
        }
    }

    /// The stroke: the new first partition is the volume when this returns, or else the old one is.
    fn change(&self, sync: &FolderSync) -> Result<(), Error> {
        let staged = names::staged(self.name, 0, self.change.new);
        let old = self.old.first().map(|store| store.inode());
        let failed = |source| self.error("replace", self.name, source);
        host_call(|| sync.sync())
            .map_err(|source| self.error("commit the folder of", self.name, source))?;
        if !host_call(|| self.folder.exchange(&staged, self.name)).map_err(failed)? {
            self.expect(self.folder, self.name, old)?;
            host_call(|| self.folder.rename_over(&staged, self.name)).map_err(failed)?;
            // Nothing can bring the old one back.
            drop(host_call(|| sync.sync()));
            return Ok(());
        }
        let committed = match self.look(self.folder, &staged) {
            Ok(found) if found == old => host_call(|| sync.sync())
                .map_err(|source| self.error("commit the folder of", self.name, source)),
            Ok(_) => Err(self.not_own(self.folder, self.name)),
            Err(error) => Err(error),
        };
        if committed.is_err() {
            host_call(|| self.folder.exchange(&staged, self.name)).map_err(failed)?;
        }
        committed
    }

    fn put_others_in_place(&self, new: &mut [&mut FileStore]) {
        for (number, store) in (0..).zip(new.iter_mut()) {
            let (staged, proper) = (
                names::staged(self.name, number, self.change.new),
                names::of_partition(self.name, number),
            );
            let moved = number == 0
                || host_call(|| self.folder.rename_to_new(&staged, self.folder, &proper)).is_ok();
            // Where somebody took the name in this moment, the partition is found under the name that it has.
            if moved {
                store.moved_to(self.folder, &proper);
            }
        }
    }

    /// Removes the old files; the first one last, because it tells the next opening of the others.
    fn remove_old(&self) {
        let others = self.parked.iter().map(|parked| parked.parked.clone());
        let first = names::staged(self.name, 0, self.change.new);
        for name in others.chain([first]) {
            let inode = self.look(self.folder, &name).ok().flatten();
            let own = inode.filter(|found| self.old.iter().any(|store| store.inode() == *found));
            if let Some(inode) = own
                && host_call(|| self.folder.remove(&name, inode)).is_err()
            {
                return;
            }
        }
    }

    fn look(&self, folder: &Folder, name: &OsStr) -> Result<Option<Inode>, Error> {
        folder.look(name).map_err(|source| Error::Unopenable {
            path: folder.path_of(name),
            action: "look at",
            source,
        })
    }

    fn expect(&self, folder: &Folder, name: &OsStr, inode: Option<Inode>) -> Result<(), Error> {
        match self.look(folder, name)? == inode {
            true => Ok(()),
            false => Err(self.not_own(folder, name)),
        }
    }

    fn not_own(&self, folder: &Folder, name: &OsStr) -> Error {
        Error::NotOwn {
            path: folder.path_of(name),
        }
    }

    fn error(&self, action: &'static str, name: &OsStr, source: io::Error) -> Error {
        Error::Unopenable {
            path: self.folder.path_of(name),
            action,
            source,
        }
    }
}
