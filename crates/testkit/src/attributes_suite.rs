//! What every [`Volume`] does with the attributes of programs: it keeps them, or says that it has no place.

use pseudotape_tape::{
    Attribute, AttributeFormat, Attributes, AttributesError, EraseExtent, PartitionNumber,
    Partitioning, Transfer, Volume, WriteMode, make_ready,
};

use crate::block_of;

const FIRST: PartitionNumber = PartitionNumber(0);
const SECOND: PartitionNumber = PartitionNumber(1);

/// Some attributes, other ones for each number.
#[must_use]
pub fn attributes_of(number: u8) -> Attributes {
    let text = Attribute {
        format: AttributeFormat::Text,
        value: format!("medium {number}").into_bytes(),
    };
    let coherency = Attribute {
        format: AttributeFormat::Binary,
        value: vec![number; 70],
    };
    [(0x0803, text), (0x080c, coherency)].into_iter().collect()
}

/// A volume with a place for attributes. It is blank, and can have two partitions.
///
/// # Panics
///
/// Where it does not keep what it is given, or keeps anything else.
pub fn keeps_attributes(volume: &mut dyn Volume) {
    let none = Attributes::new();
    make_ready(volume).expect("a medium is loaded");
    assert_eq!(volume.attributes(FIRST).unwrap(), none);
    volume.set_attributes(FIRST, &attributes_of(1)).unwrap();
    assert_eq!(volume.attributes(FIRST).unwrap(), attributes_of(1));
    let no_partition = volume.attributes(SECOND);
    assert!(matches!(no_partition, Err(AttributesError::NoPartition)));
    let no_partition = volume.set_attributes(SECOND, &none);
    assert!(matches!(no_partition, Err(AttributesError::NoPartition)));
    // Nothing that is done to the data changes them, and they move no tape.
    for seed in 0..3 {
        volume
            .write(Transfer::Variable, &block_of(seed, 500))
            .unwrap();
    }
    volume.set_attributes(FIRST, &attributes_of(2)).unwrap();
    assert_eq!(volume.position().unwrap().object.0, 3);
    assert!(volume.extend(&[1]).is_err(), "a commit came between");
    volume.rewind().unwrap();
    volume
        .read(Transfer::Variable, &mut vec![0; 500])
        .expect("the block can be read");
    volume.erase(EraseExtent::Short).unwrap();
    assert_eq!(volume.attributes(FIRST).unwrap(), attributes_of(2));
    assert_eq!(volume.position().unwrap().object.0, 1);
    volume
        .write_marks(pseudotape_tape::Mark::Filemark, 1, WriteMode::Commit)
        .unwrap();
    assert_eq!(volume.attributes(FIRST).unwrap(), attributes_of(2));
    volume.set_attributes(FIRST, &none).unwrap();
    assert_eq!(volume.attributes(FIRST).unwrap(), none);
}

/// The same, of a volume that can have two partitions.
///
/// # Panics
///
/// Where partitions do not have their own, or a new volume has those of the one before.
pub fn keeps_attributes_of_partitions(volume: &mut dyn Volume) {
    make_ready(volume).expect("a medium is loaded");
    volume.set_attributes(FIRST, &attributes_of(9)).unwrap();
    volume
        .make_partitions(Partitioning::SecondOf(1))
        .expect("the medium takes partitions");
    assert_eq!(volume.attributes(FIRST).unwrap(), Attributes::new());
    volume.set_attributes(FIRST, &attributes_of(3)).unwrap();
    volume.set_attributes(SECOND, &attributes_of(4)).unwrap();
    assert_eq!(volume.attributes(FIRST).unwrap(), attributes_of(3));
    assert_eq!(volume.attributes(SECOND).unwrap(), attributes_of(4));
    volume.make_partitions(Partitioning::Single).unwrap();
    assert_eq!(volume.attributes(FIRST).unwrap(), Attributes::new());
}

/// A volume that is write protected.
///
/// # Panics
///
/// Where it takes attributes.
pub fn protected_it_takes_no_attributes(volume: &mut dyn Volume) {
    make_ready(volume).expect("a medium is loaded");
    let refused = volume.set_attributes(FIRST, &attributes_of(1));
    assert!(matches!(refused, Err(AttributesError::Protected)));
    assert_eq!(volume.attributes(FIRST).unwrap(), Attributes::new());
}

/// A volume without a place for attributes.
///
/// # Panics
///
/// Where it gives or takes some.
pub fn has_no_place_for_attributes(volume: &mut dyn Volume) {
    for partition in [FIRST, SECOND] {
        let none = volume.attributes(partition);
        assert!(matches!(none, Err(AttributesError::NoPlace)), "{none:?}");
        let refused = volume.set_attributes(partition, &attributes_of(1));
        assert!(matches!(refused, Err(AttributesError::NoPlace)));
    }
}
