use pseudotape_image::{
    Access, CachePolicy, CreateParameters, Error, Header, Image, Missing, Object, OpenReport,
    Rewriting, Store, VolumeId, WriteProtect,
};
use pseudotape_tape::{ObjectNumber, PartitionNumber, Writability};

/// So many marks may be before the first block of a cartridge.
const FIRST_MARKS: usize = 4;

/// A place that keeps the partitions of one cartridge, each an image of its own.
pub trait Medium: Send {
    /// What holds one partition.
    type Store: Store;

    /// How the stores are opened.
    fn access(&self) -> Access;

    /// Opens the store of a partition that exists.
    fn open(&mut self, partition: u8) -> Result<Self::Store, Error>;

    /// Puts the other partitions of the volume in order, where a change of the partitions was cut off. Called
    /// when the first partition is open, before the others are. What can't be put in order, opening tells.
    fn settle(&mut self, _first: &Self::Store, _header: &Header) {}

    /// Makes an empty store for the only partition of a new cartridge.
    fn create(&mut self, partition: u8) -> Result<Self::Store, Error>;

    /// Makes an empty store for a partition of a volume that will take the place of the one whose first
    /// partition is given. That one stays as it is.
    fn stage(
        &mut self,
        _first: &Self::Store,
        _volume: VolumeId,
        partition: u8,
    ) -> Result<Self::Store, Error> {
        self.create(partition)
    }

    /// Puts the staged stores of the new volume in the place of the old ones, at one stroke: an error left the old ones
    /// where they were.
    fn replace(
        &mut self,
        _change: Change,
        _old: &[&Self::Store],
        _new: &mut [&mut Self::Store],
    ) -> Result<(), Error> {
        Ok(())
    }

    /// Removes what was staged and has not taken its place.
    fn discard(&mut self) {}
}

/// A volume takes the place of another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// The one that goes.
    pub old: VolumeId,
    /// The one that comes.
    pub new: VolumeId,
}

/// Why a cartridge can't be opened.
#[derive(Debug, thiserror::Error)]
pub enum CartridgeError {
    /// An image can't be opened.
    #[error(transparent)]
    Image(#[from] Error),
    /// A file is another partition than its name says, or belongs to another volume.
    #[error(
        "the file of partition {expected} of volume {volume} holds partition {found} of volume {found_volume}"
    )]
    Mismatch {
        /// The volume, as its first partition says.
        volume: VolumeId,
        /// The partition that should be there.
        expected: u8,
        /// The partition that is.
        found: u8,
        /// The volume that it belongs to.
        found_volume: VolumeId,
    },
}

impl CartridgeError {
    /// Whether only the writing was refused: perhaps the cartridge can be opened for reading, and is a protected one
    /// then.
    #[must_use]
    pub fn leaves_reading(&self) -> bool {
        match self {
            CartridgeError::Image(error) => error.leaves_reading(),
            CartridgeError::Mismatch { .. } => false,
        }
    }
}

fn expect_partition<S: Store>(
    image: &Image<S>,
    volume: VolumeId,
    expected: u8,
) -> Result<(), CartridgeError> {
    let header = image.header();
    if header.volume == volume && header.partition == PartitionNumber(expected) {
        return Ok(());
    }
    Err(CartridgeError::Mismatch {
        volume,
        expected,
        found: header.partition.0,
        found_volume: header.volume,
    })
}

/// A cartridge: a volume of one or more partitions, each an image.
pub struct Cartridge<M: Medium> {
    medium: M,
    partitions: Vec<Image<M::Store>>,
    /// What stays in the host's page cache, where somebody said so.
    cache: Option<CachePolicy>,
}

impl<M: Medium> Cartridge<M> {
    /// Makes a cartridge of one partition.
    pub fn create(mut medium: M, parameters: &CreateParameters) -> Result<Self, Error> {
        let store = medium.create(0)?;
        let image = Image::create(store, parameters)?;
        Ok(Cartridge {
            medium,
            partitions: vec![image],
            cache: None,
        })
    }

    /// Opens every partition of a cartridge; says what was found, a report for each.
    pub fn open(mut medium: M) -> Result<(Self, Vec<OpenReport>), CartridgeError> {
        let (first, report) = Image::open(medium.open(0)?, medium.access())?;
        let header = first.header().clone();
        expect_partition(&first, header.volume, 0)?;
        medium.settle(first.store(), &header);
        let (mut partitions, mut reports) = (vec![first], vec![report]);
        for number in 1..header.partition_count {
            let (image, report) = Image::open(medium.open(number)?, medium.access())?;
            expect_partition(&image, header.volume, number)?;
            partitions.push(image);
            reports.push(report);
        }
        let cartridge = Cartridge {
            medium,
            partitions,
            cache: None,
        };
        Ok((cartridge, reports))
    }

    /// Says what stays of it in the host's page cache.
    pub fn set_cache(&mut self, policy: CachePolicy) {
        self.cache = Some(policy);
        for image in &mut self.partitions {
            image.store_mut().set_cache(policy);
        }
    }

    /// The same by the drive's configuration, where nobody said it for this cartridge.
    pub(crate) fn set_default_cache(&mut self, policy: CachePolicy) {
        if self.cache.is_none() {
            self.set_cache(policy);
        }
    }

    /// Where the partitions are kept.
    #[must_use]
    pub fn medium(&self) -> &M {
        &self.medium
    }

    /// What the volume is from its making on.
    #[must_use]
    pub fn header(&self) -> &Header {
        self.image(0).header()
    }

    /// Label; may be empty.
    #[must_use]
    pub fn label(&self) -> &str {
        self.image(0).label()
    }

    /// Barcode; may be empty.
    #[must_use]
    pub fn barcode(&self) -> &str {
        self.image(0).barcode()
    }

    /// Rises with each commit of a change in any partition.
    #[must_use]
    pub fn generation(&self) -> u64 {
        let generations = self.partitions.iter().map(Image::generation);
        generations.fold(0, u64::saturating_add)
    }

    /// How many partitions there are.
    #[must_use]
    pub fn partition_count(&self) -> u8 {
        self.header().partition_count
    }

    /// Whether anything can be written: what the host allowed at the opening counts before the switch, since no switch
    /// undoes it.
    #[must_use]
    pub fn writability(&self) -> Writability {
        let any = |is_so: fn(&Image<M::Store>) -> bool| self.partitions.iter().any(is_so);
        if any(|image| image.access() == Access::ReadOnly) {
            Writability::OpenedReadOnly
        } else if any(|image| image.missing().is_some()) {
            Writability::DataMissing
        } else if any(Image::is_write_protected) {
            Writability::Protected
        } else if self.is_worm() {
            Writability::AppendOnly
        } else {
            Writability::Writable
        }
    }

    /// Whether nothing can be written, for whatever reason.
    #[must_use]
    pub fn is_write_protected(&self) -> bool {
        self.writability().is_read_only()
    }

    /// Whether nothing is recorded in any partition.
    pub(crate) fn is_blank(&self) -> bool {
        let mut images = self.partitions.iter();
        images.all(|image| image.end_of_data().object == ObjectNumber(0))
    }

    /// Whether data can only be appended.
    #[must_use]
    pub fn is_worm(&self) -> bool {
        self.header().rewriting == Rewriting::AppendOnly
    }

    /// The first object that this copy misses, where a mirror wrote on without it.
    #[must_use]
    pub fn incomplete_from(&self) -> Option<ObjectNumber> {
        self.image(0).incomplete_from()
    }

    /// Notes what this copy misses, or (`None`) that it misses nothing any more.
    pub fn set_incomplete_from(&mut self, object: Option<ObjectNumber>) -> Result<(), Error> {
        self.image_mut(0).set_incomplete_from(object)
    }

    /// Says that programs use the cartridge for what it is: see [`Image::use_for_itself`].
    pub fn use_for_itself(&mut self) {
        self.image_mut(0).use_for_itself();
    }

    /// Accepts that committed data are lost, in every partition that misses some; says which and what.
    ///
    /// The mark on the first partition counts its objects: where another one lost data, it says that nothing is whole.
    pub fn accept_loss(&mut self) -> Result<Vec<(u8, Missing)>, Error> {
        let mut others = self.partitions.iter().skip(1);
        if others.any(|image| image.missing().is_some()) {
            self.image_mut(0).note_lost(ObjectNumber(0))?;
        }
        let mut accepted = Vec::new();
        for (number, image) in (0..).zip(&mut self.partitions) {
            if let Some(missing) = image.accept_loss()? {
                accepted.push((number, missing));
            }
        }
        Ok(accepted)
    }

    /// Moves the write-protect switch.
    pub fn set_write_protect(&mut self, protection: WriteProtect) -> Result<(), Error> {
        self.partitions
            .iter_mut()
            .try_for_each(|image| image.set_write_protect(protection))
    }

    /// Size of all image files.
    #[must_use]
    pub fn host_bytes(&self) -> u64 {
        self.partitions.iter().map(Image::host_bytes).sum()
    }

    /// How many objects a partition that [`Cartridge::partition_count`] allows holds.
    #[must_use]
    pub fn objects(&self, partition: u8) -> u64 {
        self.image(partition).end_of_data().object.0
    }

    /// Reads the beginning of the first block, where one lies behind a few marks at most; says how many bytes. The
    /// tape is at its beginning afterwards. What can't be read is no block here: who uses the cartridge will meet it.
    pub fn first_block(&mut self, start: &mut [u8]) -> Option<usize> {
        let image = self.image_mut(0);
        let mut found = None;
        for _ in 0..=FIRST_MARKS {
            match image.read_object(start) {
                Ok(Object::Filemark | Object::Setmark) => {}
                Ok(Object::Block { copied, .. }) => {
                    found = Some(copied);
                    break;
                }
                Ok(Object::EndOfData) | Err(_) => break,
            }
        }
        image.rewind();
        found
    }

    /// Commits every partition in which something was written; goes on after a failure and tells the first.
    pub(crate) fn sync(&mut self) -> Result<(), Error> {
        let synced = self.partitions.iter_mut().map(Image::sync);
        synced.fold(Ok(()), Result::and)
    }

    /// Checks that others find every partition where it was opened.
    pub(crate) fn check_presence(&mut self) -> Result<(), Error> {
        self.partitions
            .iter_mut()
            .try_for_each(Image::check_presence)
    }

    /// Commits and closes every partition; goes on after a failure and tells the first.
    pub fn finish(self) -> Result<(), Error> {
        let finished = self
            .partitions
            .into_iter()
            .map(|image| image.finish().map(drop));
        finished.fold(Ok(()), Result::and)
    }

    /// The image of a partition that [`Cartridge::partition_count`] allows.
    pub(crate) fn image(&self, partition: u8) -> &Image<M::Store> {
        &self.partitions[usize::from(partition)]
    }

    pub(crate) fn image_mut(&mut self, partition: u8) -> &mut Image<M::Store> {
        &mut self.partitions[usize::from(partition)]
    }

    /// Capacity of all partitions; `None` where one has no limit.
    pub(crate) fn total_capacity_bytes(&self) -> Option<u64> {
        self.partitions
            .iter()
            .map(|image| image.header().capacity_bytes)
            .sum()
    }

    /// Makes the volume anew, empty, with a partition for each capacity. An error changed nothing.
    pub(crate) fn make_partitions(&mut self, capacities: &[Option<u64>]) -> Result<(), Error> {
        let count = u8::try_from(capacities.len()).expect("drives allow few partitions");
        let volume = VolumeId(pseudotape_image::Uuid::now_v7());
        let old = self.header();
        let made = (0..count).zip(capacities).map(|(number, capacity_bytes)| {
            let header = Header {
                volume,
                capacity_bytes: *capacity_bytes,
                early_warning_bytes: old
                    .early_warning_bytes
                    .min(capacity_bytes.map_or(u64::MAX, |c| c / 2)),
                partition: PartitionNumber(number),
                partition_count: count,
                ..old.clone()
            };
            CreateParameters {
                header,
                label: self.label().to_owned(),
                barcode: self.barcode().to_owned(),
            }
        });
        let made: Vec<_> = made.collect();
        self.replace_by(volume, &made)
    }

    /// Puts a new volume in the place of this one. An error changed nothing.
    fn replace_by(&mut self, volume: VolumeId, made: &[CreateParameters]) -> Result<(), Error> {
        let old_volume = self.header().volume;
        let replaced = self.stage(volume, made).and_then(|mut new| {
            let old: Vec<_> = self.partitions.iter().map(Image::store).collect();
            let mut stores: Vec<_> = new.iter_mut().map(Image::store_mut).collect();
            let change = Change {
                old: old_volume,
                new: volume,
            };
            self.medium.replace(change, &old, &mut stores)?;
            Ok(new)
        });
        match replaced {
            Ok(new) => {
                self.partitions = new;
                if let Some(policy) = self.cache {
                    self.set_cache(policy);
                }
                Ok(())
            }
            Err(error) => {
                self.medium.discard();
                Err(error)
            }
        }
    }

    fn stage(
        &mut self,
        volume: VolumeId,
        made: &[CreateParameters],
    ) -> Result<Vec<Image<M::Store>>, Error> {
        let [first, ..] = &self.partitions[..] else {
            return Ok(Vec::new());
        };
        let staged = made.iter().map(|parameters| {
            let partition = parameters.header.partition.0;
            let store = self.medium.stage(first.store(), volume, partition)?;
            Image::create(store, parameters)
        });
        staged.collect()
    }
}
