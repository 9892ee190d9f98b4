//! A drive over an image runs the suite of every drive: in memory and in a file.

use pseudotape_drive::{
    Change, FileMedium, ImageDrive, Medium, MemoryMedium, Overrides, Personality,
};
use pseudotape_image::{Access, Error, FileStore, VolumeId};
use pseudotape_tape::Drive;
use pseudotape_testkit::{SuiteMedium, cartridge_on, drive_suite, recovering};

fn loaded<M: Medium>(medium: M, personality: Personality, wanted: SuiteMedium) -> ImageDrive<M> {
    let cartridge = cartridge_on(medium, wanted);
    let mut drive = ImageDrive::new(personality, "SUITE".into(), Overrides::default());
    assert!(drive.insert(cartridge).is_ok(), "a new drive is empty");
    drive.clear_attention();
    drive
}

mod in_memory {
    use super::*;

    fn memory(personality: Personality, medium: SuiteMedium) -> Box<dyn Drive> {
        let drive = loaded(MemoryMedium, personality, medium);
        Box::new(recovering(drive, medium.recovered_errors))
    }

    drive_suite!(memory);
}

mod in_a_file {
    use super::*;

    /// Files in a directory that goes with the cartridge.
    struct Temporary {
        files: FileMedium,
        _directory: tempfile::TempDir,
    }

    impl Medium for Temporary {
        type Store = FileStore;

        fn access(&self) -> Access {
            self.files.access()
        }

        fn open(&mut self, partition: u8) -> Result<FileStore, Error> {
            self.files.open(partition)
        }

        fn create(&mut self, partition: u8) -> Result<FileStore, Error> {
            self.files.create(partition)
        }

        fn stage(
            &mut self,
            first: &FileStore,
            volume: VolumeId,
            partition: u8,
        ) -> Result<FileStore, Error> {
            self.files.stage(first, volume, partition)
        }

        fn replace(
            &mut self,
            change: Change,
            old: &[&FileStore],
            new: &mut [&mut FileStore],
        ) -> Result<(), Error> {
            self.files.replace(change, old, new)
        }

        fn discard(&mut self) {
            self.files.discard();
        }
    }

    fn file(personality: Personality, wanted: SuiteMedium) -> Box<dyn Drive> {
        let directory = tempfile::tempdir().expect("a place for the image");
        let files = FileMedium::new(&directory.path().join("suite.ptape"), Access::ReadWrite);
        let medium = Temporary {
            files,
            _directory: directory,
        };
        let drive = loaded(medium, personality, wanted);
        Box::new(recovering(drive, wanted.recovered_errors))
    }

    drive_suite!(file);
}
