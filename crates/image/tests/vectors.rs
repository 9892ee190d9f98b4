//! The bytes of format version 1 are what they were: written and read.
//!
//! A vector is never edited. A change of the format adds one and keeps the old ones readable. To print what
//! this build writes: `PSEUDOTAPE_PRINT_VECTOR=1 cargo test -p pseudotape-image --test vectors -- --nocapture`.

use std::fmt::Write;

use pseudotape_image::{
    Access, AreaState, CreateParameters, Error, Image, IncompleteCause, MemoryStore, Object,
    Rewriting, Uuid, VolumeId, WriteProtect,
};
use pseudotape_tape::{
    Attribute, AttributeFormat, Attributes, BlockLimits, Mark, ObjectNumber, PartitionNumber,
};

const BASIC: &str = include_str!("../../../tests/vectors/v1-basic.hex");
const INDEX: &str = include_str!("../../../tests/vectors/v1-index.hex");
const LOST: &str = include_str!("../../../tests/vectors/v1-lost.hex");
const ATTRIBUTES: &str = include_str!("../../../tests/vectors/v1-attributes.hex");
const CRASHED: &str = include_str!("../../../tests/vectors/v1-crashed.hex");

/// `offset: bytes`, 32 bytes a line, lines of zeros left out; the last line is the length.
fn to_hex(bytes: &[u8]) -> String {
    let mut text = String::new();
    for (line, part) in bytes.chunks(32).enumerate() {
        if part.iter().any(|byte| *byte != 0) {
            write!(text, "{:06x}:", line * 32).unwrap();
            part.iter()
                .for_each(|byte| write!(text, " {byte:02x}").unwrap());
            text.push('\n');
        }
    }
    writeln!(text, "{:06x}.", bytes.len()).unwrap();
    text
}

fn from_hex(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for line in text.lines() {
        let (offset, part) = line.split_at(6);
        bytes.resize(usize::from_str_radix(offset, 16).unwrap(), 0);
        let part = part.trim_start_matches([':', '.']);
        bytes.extend(
            part.split_whitespace()
                .map(|byte| u8::from_str_radix(byte, 16).unwrap()),
        );
    }
    bytes
}

fn parameters() -> CreateParameters {
    let volume = Uuid::parse_str("01936f5c-7a00-7abc-8def-0123456789ab").unwrap();
    let mut parameters = CreateParameters::new(VolumeId(volume), 1_732_147_200_000);
    parameters.header.capacity_bytes = Some(2_000_000_000);
    parameters.header.early_warning_bytes = 64_000_000;
    parameters.header.block_limits = BlockLimits {
        min_bytes: 4,
        max_bytes: 1 << 20,
        granularity_bytes: 2,
    };
    parameters.header.rewriting = Rewriting::AppendOnly;
    parameters.header.partition = PartitionNumber(1);
    parameters.header.partition_count = 2;
    parameters.label = "Bänder 7".to_owned();
    parameters.barcode = "ABC123L8".to_owned();
    parameters
}

/// Every kind of object, an overwriting, two sessions.
fn basic() -> Vec<u8> {
    let mut image = Image::create(MemoryStore::default(), &parameters()).unwrap();
    image.append_block(b"first block").unwrap();
    image.append_block(b"grows").unwrap();
    image.extend_block(b" and grows").unwrap();
    image.append_marks(Mark::Filemark, 1).unwrap();
    image.append_block(b"dropped").unwrap();
    image.sync().unwrap();
    image.locate(ObjectNumber(3)).unwrap();
    image.append_bad_block(65536).unwrap();
    image.append_marks(Mark::Setmark, 1).unwrap();
    let store = image.finish().unwrap();
    let (mut image, _) = Image::open(store, Access::ReadWrite).unwrap();
    image.to_end_of_data();
    image.append_block(&[0xA5; 40]).unwrap();
    image.append_marks(Mark::Filemark, 2).unwrap();
    image.set_write_protect(WriteProtect::On).unwrap();
    image.set_write_protect(WriteProtect::Off).unwrap();
    image.finish().unwrap().into_bytes()
}

/// A leaf and a partial one.
fn index() -> Vec<u8> {
    let mut image = Image::create(MemoryStore::default(), &parameters()).unwrap();
    image.append_marks(Mark::Filemark, 300).unwrap();
    image.append_marks(Mark::Setmark, 230).unwrap();
    image.finish().unwrap().into_bytes()
}

/// Not finished.
fn crashed() -> Vec<u8> {
    let mut image = Image::create(MemoryStore::default(), &parameters()).unwrap();
    image.append_block(b"committed").unwrap();
    image.sync().unwrap();
    image.append_block(b"not committed").unwrap();
    image.append_block(b"torn in the middle").unwrap();
    let mut bytes = image.into_store().into_bytes();
    bytes.truncate(bytes.len() - 9);
    bytes
}

/// Cut within what was committed; the loss was accepted, and something was recorded behind.
fn lost() -> Vec<u8> {
    let mut image = Image::create(MemoryStore::default(), &parameters()).unwrap();
    image.append_block(b"kept").unwrap();
    image.append_block(b"lost in part").unwrap();
    image.append_block(b"lost").unwrap();
    image.sync().unwrap();
    let mut bytes = image.into_store().into_bytes();
    bytes.truncate(bytes.len() - 60);
    let (mut image, _) = Image::open(MemoryStore::new(bytes), Access::ReadWrite).unwrap();
    assert!(image.accept_loss().unwrap().is_some());
    image.to_end_of_data();
    image.append_marks(Mark::Filemark, 1).unwrap();
    image.finish().unwrap().into_bytes()
}

fn attribute(format: AttributeFormat, value: &[u8]) -> Attribute {
    let value = value.to_vec();
    Attribute { format, value }
}

fn kept() -> Attributes {
    [
        (0x0800, attribute(AttributeFormat::Ascii, b"GNU     ")),
        (
            0x0803,
            attribute(AttributeFormat::Text, "Bänder 7".as_bytes()),
        ),
        (0x0805, attribute(AttributeFormat::Binary, &[0x81])),
        (0x080c, attribute(AttributeFormat::Binary, &[0x5A; 40])),
    ]
    .into_iter()
    .collect()
}

/// Attributes that were written three times, the last ones shorter: what is left of longer ones lies behind them.
fn attributes() -> Vec<u8> {
    let mut image = Image::create(MemoryStore::default(), &parameters()).unwrap();
    let mut longer = kept();
    longer.insert(0x0806, attribute(AttributeFormat::Ascii, b"ABC123L8"));
    image
        .set_attributes(&longer.common(&Attributes::new()))
        .unwrap();
    image.set_attributes(&longer).unwrap();
    image.append_block(b"block").unwrap();
    image.set_attributes(&kept()).unwrap();
    image.finish().unwrap().into_bytes()
}

#[test]
fn this_build_writes_the_vectors() {
    if std::env::var_os("PSEUDOTAPE_PRINT_VECTOR").is_some() {
        for (name, bytes) in [
            ("basic", basic()),
            ("index", index()),
            ("crashed", crashed()),
            ("lost", lost()),
            ("attributes", attributes()),
        ] {
            println!("=== v1-{name}.hex\n{}", to_hex(&bytes));
        }
    }
    assert_eq!(to_hex(&basic()), BASIC);
    assert_eq!(to_hex(&index()), INDEX);
    assert_eq!(to_hex(&crashed()), CRASHED);
    assert_eq!(to_hex(&lost()), LOST);
    assert_eq!(to_hex(&attributes()), ATTRIBUTES);
}

#[test]
fn the_basic_vector_is_read() {
    let store = MemoryStore::new(from_hex(BASIC));
    let (mut image, report) = Image::open(store, Access::ReadOnly).unwrap();
    assert!(report.is_clean(), "{report}");
    let wanted = parameters();
    assert_eq!(*image.header(), wanted.header);
    assert_eq!((image.label(), image.barcode()), ("Bänder 7", "ABC123L8"));
    assert!(!image.is_write_protected());
    let mut buffer = [0; 64];
    let mut block = |image: &mut Image<MemoryStore>, data: &[u8]| {
        let met = image.read_object(&mut buffer).unwrap();
        assert_eq!(
            met,
            Object::Block {
                length: data.len() as u32,
                copied: data.len()
            }
        );
        assert_eq!(&buffer[..data.len()], data);
    };
    block(&mut image, b"first block");
    block(&mut image, b"grows and grows");
    assert_eq!(image.read_object(&mut []).unwrap(), Object::Filemark);
    assert!(matches!(
        image.read_object(&mut []),
        Err(Error::BadBlock { at, length: 65536 }) if at.to_string() == "object 3 (file 1, block 0)"
    ));
    assert_eq!(image.read_object(&mut []).unwrap(), Object::Setmark);
    block(&mut image, &[0xA5; 40]);
    assert_eq!(image.read_object(&mut []).unwrap(), Object::Filemark);
    assert_eq!(image.read_object(&mut []).unwrap(), Object::Filemark);
    assert_eq!(image.read_object(&mut []).unwrap(), Object::EndOfData);
    assert_eq!(image.place().file.0, 3);
    assert_eq!(image.place().payload_bytes_before, 11 + 15 + 8 + 40);
}

#[test]
fn the_index_vector_is_read() {
    let (mut image, report) =
        Image::open(MemoryStore::new(from_hex(INDEX)), Access::ReadOnly).unwrap();
    assert!(report.is_clean(), "{report}");
    assert_eq!(report.scanned_records, 0);
    assert_eq!(image.mark_counts(), (300, 230));
    assert_eq!(image.check_index().unwrap(), []);
    image.space_marks(Mark::Setmark, 230).unwrap();
    assert_eq!(image.place().object, ObjectNumber(530));
}

#[test]
fn the_crashed_vector_is_read_up_to_the_torn_block() {
    let bytes = from_hex(CRASHED);
    let length = bytes.len() as u64;
    let (mut image, report) = Image::open(MemoryStore::new(bytes), Access::ReadOnly).unwrap();
    let torn = report.torn_tail.unwrap();
    assert_eq!((torn.object, torn.offset + torn.bytes), (2, length));
    let mut buffer = [0; 64];
    assert!(matches!(
        image.read_object(&mut buffer),
        Ok(Object::Block { length: 9, .. })
    ));
    assert!(matches!(
        image.read_object(&mut buffer),
        Ok(Object::Block { length: 13, .. })
    ));
    assert_eq!(image.read_object(&mut buffer).unwrap(), Object::EndOfData);
}

#[test]
fn the_vector_of_an_accepted_loss_is_read() {
    let (mut image, report) =
        Image::open(MemoryStore::new(from_hex(LOST)), Access::ReadWrite).unwrap();
    assert!(report.is_clean(), "{report}");
    let incomplete = image.incomplete().unwrap();
    assert_eq!(incomplete.from, ObjectNumber(1));
    assert_eq!(incomplete.cause, IncompleteCause::Lost);
    let mut buffer = [0; 64];
    assert!(matches!(
        image.read_object(&mut buffer),
        Ok(Object::Block { length: 4, .. })
    ));
    assert_eq!(image.read_object(&mut buffer).unwrap(), Object::Filemark);
    assert_eq!(image.read_object(&mut buffer).unwrap(), Object::EndOfData);
}

#[test]
fn the_vector_of_attributes_is_read() {
    let (mut image, report) =
        Image::open(MemoryStore::new(from_hex(ATTRIBUTES)), Access::ReadWrite).unwrap();
    assert!(report.is_clean(), "{report}");
    assert_eq!(image.attributes().unwrap(), kept());
    let areas = image.check_attributes().areas;
    assert_eq!(areas, [(512, AreaState::Whole), (12800, AreaState::Whole)]);
    assert!(matches!(
        image.read_object(&mut [0; 64]).unwrap(),
        Object::Block { length: 5, .. }
    ));
}

/// What programs that do not know the areas wrote: there are no attributes, and some can be written.
#[test]
fn images_of_before_have_no_attributes() {
    for vector in [BASIC, INDEX, LOST, CRASHED] {
        let (mut image, _) =
            Image::open(MemoryStore::new(from_hex(vector)), Access::ReadWrite).unwrap();
        assert_eq!(image.attributes().unwrap(), Attributes::new());
        image.set_attributes(&kept()).unwrap();
        assert_eq!(image.attributes().unwrap(), kept());
    }
}

/// To a program that does not know the areas, an image with attributes is what it is without.
#[test]
fn outside_of_the_areas_attributes_change_nothing() {
    let write = |kept: &[Attributes]| {
        let mut image = Image::create(MemoryStore::default(), &parameters()).unwrap();
        image.append_block(b"block").unwrap();
        image.sync().unwrap();
        for attributes in kept {
            image.set_attributes(attributes).unwrap();
        }
        image.finish().unwrap().into_bytes()
    };
    let without = write(&[]);
    let mut with = write(&[kept(), kept()]);
    assert!(with != without);
    for area in [512, 12800] {
        with[area..area + 3584].fill(0);
    }
    assert!(with == without);
}

#[test]
fn later_versions_and_unknown_features_are_refused_by_name() {
    let changed = |at: usize, byte: u8| {
        let mut bytes = basic();
        for start in [0, 12288] {
            bytes[start + at] = byte;
            let crc = crc32fast::hash(&bytes[start..start + 124]);
            bytes[start + 124..start + 128].copy_from_slice(&crc.to_le_bytes());
        }
        MemoryStore::new(bytes)
    };
    let open = |store, access| Image::open(store, access).map(|_| ());
    let newer = open(changed(8, 2), Access::ReadOnly).unwrap_err();
    assert_eq!(
        newer.to_string(),
        "image has format version 2, this program reads up to 1: use a newer pseudotape"
    );
    assert!(open(changed(10, 7), Access::ReadWrite).is_ok());
    let unknown = open(changed(72, 4), Access::ReadOnly);
    assert!(matches!(unknown, Err(Error::UnknownFeatures { bits: 4 })));
    assert!(open(changed(80, 4), Access::ReadOnly).is_ok());
    let read_only = open(changed(80, 4), Access::ReadWrite);
    assert!(matches!(
        read_only,
        Err(Error::ReadOnlyFeatures { bits: 4 })
    ));
    assert!(open(changed(88, 4), Access::ReadWrite).is_ok());
}
