//! Attributes of a tape drive: what programs keep with a medium. The bytes were read with sg_read_attr of sg3_utils
//! 1.46, which said of each what stands beside it here.

mod common;

use common::{ME, Rig, plain, told};
use pseudotape_drive::{Cartridge, ImageDrive, Medium, Overrides, Personality};
use pseudotape_image::{Access, CreateParameters, Error, Store, Uuid, VolumeId};
use pseudotape_scsi::TapeUnit;
use pseudotape_tape::{Bare, Volume};
use pseudotape_testkit::store::FaultyStore;
use pseudotape_testkit::{ModelCartridge, ModelDrive};

const MIB: usize = 1 << 20;

/// A tape of 100 MiB on which 1 MiB and 100 bytes were written.
fn used() -> Rig {
    let cartridge = ModelCartridge {
        capacity_bytes: Some(100 << 20),
        early_warning_bytes: 1 << 20,
        ..ModelCartridge::default()
    };
    let mut rig = Rig::with("lto5", cartridge);
    rig.takes(&[0x0a, 0, 0x10, 0, 0, 0], &vec![1; MIB]);
    rig.takes(&[0x0a, 0, 0, 0, 100, 0], &[1; 100]);
    rig
}

fn read_attribute(action: u8, partition: u8, first: u16) -> [u8; 16] {
    let [a, b] = [(first >> 8) as u8, first as u8];
    [
        0x8c, action, 0, 0, 0, 0, 0, partition, a, b, 0, 0, 8, 0, 0, 0,
    ]
}

fn write_attribute(partition: u8, length: u8) -> [u8; 16] {
    [
        0x8d, 0, 0, 0, 0, 0, 0, partition, 0, 0, 0, 0, 0, length, 0, 0,
    ]
}

#[test]
fn attributes_of_the_medium_and_of_its_programs() {
    let mut rig = used();
    let all = rig.gives(&read_attribute(0, 0, 0));
    // "Remaining capacity in partition [MiB]: 98", "Maximum capacity in partition [MiB]: 100", "Load count: 0"
    assert_eq!(all[4..17], [0, 0, 0x80, 0, 8, 0, 0, 0, 0, 0, 0, 0, 98]);
    assert_eq!(all[17..30], [0, 1, 0x80, 0, 8, 0, 0, 0, 0, 0, 0, 0, 100]);
    assert_eq!(all[30..43], [0, 3, 0x80, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0]);
    // "Format density code: 0x58"
    assert_eq!(all[43..49], [0, 6, 0x80, 0, 1, 0x58]);
    // Application vendor and name, of which the first is taken away again.
    let mut list = vec![0, 0, 0, 16, 8, 0, 1, 0, 2, b'M', b'E', 8, 1, 1, 0, 4];
    list.extend(b"tape");
    rig.takes(&write_attribute(0, 20), &list);
    let written = rig.gives(&read_attribute(0, 0, 0x800));
    assert_eq!(written, list);
    rig.takes(&write_attribute(0, 9), &[0, 0, 0, 5, 8, 0, 1, 0, 0]);
    assert_eq!(
        rig.gives(&read_attribute(0, 0, 0x800)),
        [&[0, 0, 0, 9][..], &list[11..]].concat()
    );
    let there = rig.gives(&read_attribute(1, 0, 0));
    assert_eq!(there[there.len() - 4..], [4, 8, 8, 1]);
    assert_eq!(rig.gives(&read_attribute(2, 0, 0)), [0, 2, 0, 1]);
    assert_eq!(rig.gives(&read_attribute(3, 0, 0)), [0, 2, 0, 1]);
    let could_be = rig.gives(&read_attribute(5, 0, 0));
    assert_eq!(could_be[..4], [0, 0, 0, 40]);
    assert_eq!(could_be[could_be.len() - 2..], [8, 0x21]);
}

#[test]
fn attributes_that_cannot_be_are_refused_and_nothing_is_kept() {
    let mut rig = used();
    rig.refuses_field(&read_attribute(4, 0, 0), 1);
    rig.refuses_field(&read_attribute(0, 1, 0), 7);
    rig.refuses_field(&read_attribute(0, 0, 0x900), 8);
    let good = [8, 0, 1, 0, 1, b'A'];
    let list = |second: &[u8]| {
        let length = u8::try_from(good.len() + second.len()).unwrap();
        [&[0, 0, 0, length][..], &good, second].concat()
    };
    // Not a program's; another format; too long.
    rig.refuses_data(&write_attribute(0, 16), &list(&[0, 1, 0, 0, 1, 1]), 10);
    rig.refuses_data(&write_attribute(0, 16), &list(&[8, 1, 0, 0, 1, 1]), 12);
    rig.refuses_data(
        &write_attribute(0, 24),
        &list(&[8, 2, 1, 0, 9, 1, 1, 1, 1, 1, 1, 1, 1, 1]),
        13,
    );
    // A list that is longer than the data; a value that is longer than the list.
    let cut = rig.tells(&write_attribute(0, 6), &mut [0, 0, 0, 9, 8, 0]);
    assert_eq!(cut, plain(5, (0x1a, 0)));
    let cut = rig.tells(&write_attribute(0, 9), &mut [0, 0, 0, 5, 8, 0, 1, 0, 1]);
    assert_eq!(cut, plain(5, (0x1a, 0)));
    rig.refuses_field(&read_attribute(0, 0, 0x800), 8);
    let protected = ModelCartridge {
        write_protected: true,
        ..ModelCartridge::default()
    };
    let mut rig = Rig::with("generic", protected);
    let refused = rig.tells(&write_attribute(0, 10), &mut list(&[]));
    assert_eq!(refused, plain(7, (0x27, 0)));
}

#[test]
fn each_partition_has_its_own_coherency_information() {
    let mut rig = Rig::with(
        "lto5",
        ModelCartridge {
            partitions: vec![vec![], vec![]],
            ..ModelCartridge::default()
        },
    );
    let list = |value: u8| [0, 0, 0, 6, 8, 0x0c, 0, 0, 1, value];
    for partition in [0, 1] {
        rig.takes(&write_attribute(partition, 10), &list(partition + 1));
    }
    for partition in [0, 1] {
        let read = rig.gives(&read_attribute(0, partition, 0x80c));
        assert_eq!(read, list(partition + 1));
    }
    assert_eq!(rig.gives(&read_attribute(3, 0, 0)), [0, 2, 0, 2]);
}

/// A label of five bytes, as a program writes it.
const LABEL: [u8; 14] = [0, 0, 0, 10, 8, 3, 2, 0, 5, b'l', b'a', b'b', b'e', b'l'];

/// A drive over an image whose bytes the test holds.
struct Imaged {
    unit: TapeUnit,
    drive: ImageDrive<Held>,
}

struct Held(FaultyStore);

impl Medium for Held {
    type Store = FaultyStore;

    fn access(&self) -> Access {
        Access::ReadWrite
    }

    fn open(&mut self, _: u8) -> Result<FaultyStore, Error> {
        Ok(self.0.clone())
    }

    fn create(&mut self, _: u8) -> Result<FaultyStore, Error> {
        Ok(self.0.clone())
    }
}

impl Imaged {
    fn new(store: &FaultyStore) -> Self {
        let parameters = CreateParameters::new(VolumeId(Uuid::from_u128(7)), 0);
        let cartridge = Cartridge::create(Held(store.clone()), &parameters).expect("an image");
        Self::with(cartridge)
    }

    /// What a daemon that is started again has.
    fn again(store: &FaultyStore) -> Self {
        let (cartridge, _) = Cartridge::open(Held(store.clone())).expect("an image");
        Self::with(cartridge)
    }

    fn with(cartridge: Cartridge<Held>) -> Self {
        let personality = Personality::named("lto5").expect("a personality");
        let mut drive = ImageDrive::new(personality, "IMAGED".into(), Overrides::default());
        assert!(drive.insert(cartridge).is_ok(), "a new drive is empty");
        drive.clear_attention();
        let mut unit = TapeUnit::new(common::features(&personality));
        unit.greet(ME);
        Imaged { unit, drive }
    }

    fn run(&mut self, cdb: &[u8], data: &mut [u8]) -> pseudotape_scsi::TapeReply {
        self.unit.execute(ME, cdb, &mut [data], &mut self.drive)
    }

    fn label(&mut self) -> Vec<u8> {
        let mut room = [0; 64];
        let reply = self.run(&read_attribute(0, 0, 0x803), &mut room);
        assert_eq!(told(&reply), None);
        room[..reply.transferred].to_vec()
    }
}

#[test]
fn what_was_acknowledged_is_there_after_a_power_loss_in_another_drive() {
    use pseudotape_testkit::store::{Survival, after_power_loss};
    let store = FaultyStore::default();
    let mut imaged = Imaged::new(&store);
    let written = imaged.run(&write_attribute(0, 14), &mut LABEL.to_vec());
    assert_eq!(told(&written), None);
    let disk = after_power_loss(&store.log(), usize::MAX, Survival::None);
    let mut left = FaultyStore::default();
    left.write_at(&disk, 0).unwrap();
    assert_eq!(Imaged::again(&left).label(), LABEL);
}

#[test]
fn damaged_attributes_are_an_error_and_can_be_written_anew() {
    let store = FaultyStore::default();
    let mut imaged = Imaged::new(&store);
    let written = imaged.run(&write_attribute(0, 14), &mut LABEL.to_vec());
    assert_eq!(told(&written), None);
    store.clone().write_at(&[0xff; 4], 512 + 36).unwrap();
    assert_eq!(imaged.label(), LABEL, "the other place serves");
    store.clone().write_at(&[0xff; 4], 12800 + 36).unwrap();
    for action in [0, 1] {
        let reply = imaged.run(&read_attribute(action, 0, 0), &mut [0; 64]);
        assert_eq!(told(&reply), Some(plain(3, (0x11, 0x12))));
        let trouble = imaged.drive.take_trouble().unwrap_or_default();
        assert!(
            trouble.contains("attributes of programs are damaged"),
            "{trouble}"
        );
    }
    let mut room = [0; 64];
    let supported = imaged.run(&read_attribute(5, 0, 0), &mut room);
    assert_eq!(told(&supported), None);
    assert_eq!(
        room[supported.transferred - 2..supported.transferred],
        [8, 0x21]
    );
    let written = imaged.run(&write_attribute(0, 14), &mut LABEL.to_vec());
    assert_eq!(told(&written), None);
    assert_eq!(imaged.label(), LABEL);
}

#[test]
fn a_host_that_fails_is_an_error_of_the_memory() {
    use pseudotape_testkit::store::StoreFault;
    let store = FaultyStore::default();
    let mut imaged = Imaged::new(&store);
    store.set_fault(Some(StoreFault::Write(0)));
    let failed = imaged.run(&write_attribute(0, 14), &mut LABEL.to_vec());
    assert_eq!(told(&failed), Some(plain(3, (0x0c, 0x0b))));
    store.set_fault(None);
}

#[test]
fn a_volume_without_a_place_says_so_and_supports_none() {
    let personality = Personality::named("lto5").expect("a personality");
    let mut model = ModelDrive::new(personality);
    model.insert(ModelCartridge::default());
    model.clear_attention();
    let mut drive = Bare(model);
    let mut unit = TapeUnit::new(common::features(&personality));
    unit.greet(ME);
    let volume: &mut dyn Volume = &mut drive;
    let refused = unit.execute(
        ME,
        &write_attribute(0, 14),
        &mut [&mut LABEL.to_vec()],
        volume,
    );
    assert_eq!(told(&refused), Some(plain(5, (0x55, 0x06))));
    let mut room = [0; 256];
    let supported = unit.execute(ME, &read_attribute(5, 0, 0), &mut [&mut room], volume);
    assert_eq!(told(&supported), None);
    assert!(room[4..supported.transferred].chunks(2).all(|id| id[0] < 8));
    // What the drive says of itself is told all the same.
    let own = unit.execute(ME, &read_attribute(0, 0, 0), &mut [&mut room], volume);
    assert_eq!(told(&own), None);
    assert_eq!(room[4..9], [0, 3, 0x80, 0, 8]);
}

#[test]
fn a_list_for_a_partition_keeps_what_is_of_the_whole_medium_with_it() {
    let two = ModelCartridge {
        partitions: vec![vec![], vec![]],
        ..ModelCartridge::default()
    };
    let mut rig = Rig::with("lto5", two);
    let list = [0, 0, 0, 12, 8, 0, 1, 0, 1, b'A', 8, 0x0c, 0, 0, 1, 7];
    rig.takes(&write_attribute(1, 16), &list);
    assert_eq!(rig.gives(&read_attribute(0, 1, 0x800)), list);
    assert_eq!(
        rig.gives(&read_attribute(0, 0, 0x800)),
        [0, 0, 0, 6, 8, 0, 1, 0, 1, b'A']
    );
}
