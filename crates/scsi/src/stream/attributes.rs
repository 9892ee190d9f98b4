//! READ and WRITE ATTRIBUTE: what is kept with a medium (SPC-4 §7.4, "MAM").

use pseudotape_tape::{
    Attribute, AttributeFormat, Attributes, AttributesError, Capacity, Identity, PartitionNumber,
    Volume, VolumeIdentity, Writability,
};

use super::command::AttributeRequest;
use crate::bytes::{Put, be16, be32, length32};
use crate::cdb::flag;
use crate::sense::{FieldPointer, Reason, Sense, SenseKey};

/// How a value is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Format {
    Binary = 0,
    Ascii = 1,
    Text = 2,
}

impl From<Format> for AttributeFormat {
    fn from(format: Format) -> Self {
        match format {
            Format::Binary => AttributeFormat::Binary,
            Format::Ascii => AttributeFormat::Ascii,
            Format::Text => AttributeFormat::Text,
        }
    }
}

/// An attribute that programs write.
struct Host {
    id: u16,
    format: Format,
    /// The longest value.
    most: usize,
    /// Whether each partition has its own.
    by_partition: bool,
}

const fn host(id: u16, format: Format, most: usize) -> Host {
    Host {
        id,
        format,
        most,
        by_partition: false,
    }
}

/// What programs may write (SPC-4 table 400 ff.), in the order of the identifiers.
const HOST: [Host; 13] = [
    host(0x0800, Format::Ascii, 8),
    host(0x0801, Format::Ascii, 32),
    host(0x0802, Format::Ascii, 8),
    host(0x0803, Format::Text, 160),
    host(0x0804, Format::Ascii, 12),
    host(0x0805, Format::Binary, 1),
    host(0x0806, Format::Ascii, 32),
    host(0x0807, Format::Text, 80),
    host(0x0808, Format::Text, 160),
    host(0x080b, Format::Ascii, 16),
    Host {
        by_partition: true,
        ..host(0x080c, Format::Binary, 1023)
    },
    host(0x0820, Format::Binary, 36),
    host(0x0821, Format::Binary, 36),
];

/// The partition with which those are kept that are of the whole medium.
const WHOLE: PartitionNumber = PartitionNumber(0);

/// What programs keep with a medium.
pub(super) struct Kept {
    /// Of the whole medium.
    whole: Attributes,
    /// Of the partition that was asked for.
    of_partition: Attributes,
    /// The volume has a place for them.
    has_place: bool,
}

/// What the drive and the medium say of themselves, when it is asked.
pub(super) struct Told {
    pub(super) identity: Identity,
    pub(super) volume: VolumeIdentity,
    pub(super) capacity: Option<Capacity>,
    pub(super) loads: u32,
    pub(super) density: u8,
    pub(super) writability: Writability,
    pub(super) last_partition: u8,
}

/// One attribute: identifier, format, whether programs can't write it, value.
struct Value {
    id: u16,
    format: Format,
    read_only: bool,
    bytes: Vec<u8>,
}

fn padded(text: &str, length: usize) -> Vec<u8> {
    let mut out = Vec::new();
    out.text(text, length);
    out
}

/// Those that nobody writes.
fn own(told: &Told) -> Vec<Value> {
    let value = |id, format, bytes| Value {
        id,
        format,
        read_only: true,
        bytes,
    };
    let number64 = |number: u64| {
        let mut out = Vec::new();
        out.put64(number);
        out
    };
    let mut out = Vec::new();
    if let Some((capacity, total)) = told.capacity.and_then(|c| Some((c, c.total_bytes?))) {
        let left = total.saturating_sub(capacity.used_bytes);
        out.push(value(0x0000, Format::Binary, number64(left >> 20)));
        out.push(value(0x0001, Format::Binary, number64(total >> 20)));
    }
    out.push(value(0x0003, Format::Binary, number64(told.loads.into())));
    out.push(value(0x0006, Format::Binary, vec![told.density]));
    let drive = format!("{:8}{}", told.identity.vendor, told.identity.serial);
    out.push(value(0x020a, Format::Ascii, padded(&drive, 40)));
    let medium = value(
        0x0401,
        Format::Ascii,
        padded(&name_of_medium(&told.volume), 32),
    );
    out.push(medium);
    // The kind of medium: data, or WORM.
    let kind = match told.writability {
        Writability::AppendOnly => 0x80,
        _ => 0x00,
    };
    out.push(value(0x0408, Format::Binary, vec![kind]));
    out
}

/// The serial number of the medium, as long as its field: of a UUID without its strokes.
fn name_of_medium(volume: &VolumeIdentity) -> String {
    match volume.id {
        Some(id) => id.to_string().replace('-', ""),
        None => volume.barcode.clone(),
    }
}

/// Why something kept with the medium can't be read.
fn unreadable(error: &AttributesError) -> Sense {
    match error {
        AttributesError::NoPartition => no_partition(),
        AttributesError::NoPlace
        | AttributesError::TooLong(_)
        | AttributesError::Protected
        | AttributesError::Damaged { .. }
        | AttributesError::Failed(_) => {
            Sense::new(SenseKey::MediumError, Reason::MEMORY_READ_ERROR)
        }
    }
}

/// Why something is not kept with the medium.
fn unwritten(error: &AttributesError) -> Sense {
    match error {
        AttributesError::NoPlace | AttributesError::TooLong(_) => {
            Sense::illegal(Reason::MEMORY_OUT_OF_SPACE)
        }
        AttributesError::NoPartition => no_partition(),
        AttributesError::Protected => Sense::new(SenseKey::DataProtect, Reason::WRITE_PROTECTED),
        AttributesError::Damaged { .. } | AttributesError::Failed(_) => {
            Sense::new(SenseKey::MediumError, Reason::MEMORY_WRITE_ERROR)
        }
    }
}

fn no_partition() -> Sense {
    const PARTITION_BYTE: u16 = 7;
    Sense::invalid_field(FieldPointer::command(PARTITION_BYTE))
}

impl Kept {
    /// Asks the volume. What it can't say is an error, and never less than it keeps.
    fn of(volume: &mut dyn Volume, partition: u8) -> Result<Self, Sense> {
        let mut has_place = true;
        let mut ask = |partition| match volume.attributes(partition) {
            Ok(kept) => Ok(kept),
            Err(AttributesError::NoPlace) => {
                has_place = false;
                Ok(Attributes::new())
            }
            Err(error) => Err(unreadable(&error)),
        };
        let whole = ask(WHOLE)?;
        let of_partition = match PartitionNumber(partition) {
            WHOLE => whole.clone(),
            partition => ask(partition)?,
        };
        Ok(Kept {
            whole,
            of_partition,
            has_place,
        })
    }

    fn all(&self, told: &Told) -> Vec<Value> {
        let mut out = own(told);
        for known in &HOST {
            let of = match known.by_partition {
                true => &self.of_partition,
                false => &self.whole,
            };
            let written = of.get(known.id).map(|kept| kept.value.clone());
            // A barcode that nobody wrote is the one that the volume has.
            let barcode = || {
                let has = known.id == 0x0806 && !told.volume.barcode.is_empty();
                has.then(|| padded(&told.volume.barcode, known.most))
            };
            if let Some(bytes) = written.or_else(barcode) {
                out.push(Value {
                    id: known.id,
                    format: known.format,
                    read_only: false,
                    bytes,
                });
            }
        }
        out
    }
}

/// The parameter data of READ ATTRIBUTE.
pub(super) fn read(
    request: AttributeRequest,
    partition: u8,
    first: u16,
    told: &Told,
    volume: &mut dyn Volume,
) -> Result<Vec<u8>, Sense> {
    const FIRST_BYTE: u16 = 8;
    if partition > told.last_partition {
        return Err(no_partition());
    }
    let mut body = Vec::new();
    match request {
        AttributeRequest::Values => {
            let all = Kept::of(volume, partition)?.all(told);
            if first > 0 && all.iter().all(|value| value.id < first) {
                return Err(Sense::invalid_field(FieldPointer::command(FIRST_BYTE)));
            }
            for value in all.iter().filter(|value| value.id >= first) {
                body.put16(value.id);
                body.push(flag(value.read_only, 7) | value.format as u8);
                body.put16(crate::bytes::length16(value.bytes.len()));
                body.extend_from_slice(&value.bytes);
            }
        }
        AttributeRequest::List => {
            for value in Kept::of(volume, partition)?.all(told) {
                body.put16(value.id);
            }
        }
        AttributeRequest::Supported => {
            for value in own(told) {
                body.put16(value.id);
            }
            // What is damaged now can be written.
            let has_place = Kept::of(volume, partition).map_or(true, |kept| kept.has_place);
            for known in HOST.iter().filter(|_| has_place) {
                body.put16(known.id);
            }
        }
        // The first one, and how many.
        AttributeRequest::Volumes => return Ok(vec![0, 2, 0, 1]),
        AttributeRequest::Partitions => {
            let count = told.last_partition.saturating_add(1);
            return Ok(vec![0, 2, 0, count]);
        }
    }
    let mut out = Vec::with_capacity(4 + body.len());
    out.put32(length32(body.len()));
    out.extend_from_slice(&body);
    Ok(out)
}

/// What a list of WRITE ATTRIBUTE asks for: values by their identifiers, one of no bytes to take an attribute away.
fn asked(data: &[u8]) -> Result<Vec<(&'static Host, Vec<u8>)>, Sense> {
    const HEAD_BYTES: usize = 5;
    let refused =
        |at: usize| Sense::invalid_field(FieldPointer::data(u16::try_from(at).unwrap_or(u16::MAX)));
    let length_error = Sense::illegal(Reason::PARAMETER_LIST_LENGTH);
    let length = usize::try_from(be32(data, 0)).unwrap_or(usize::MAX);
    let Some(list) = length.checked_add(4).and_then(|end| data.get(4..end)) else {
        return Err(length_error);
    };
    let mut asked = Vec::new();
    let mut at = 0;
    while at < list.len() {
        let size = usize::from(be16(list, at + 3));
        let value = list.get(at + HEAD_BYTES..at + HEAD_BYTES + size);
        let value = value.ok_or(length_error)?;
        let id = be16(list, at);
        let known = HOST.iter().find(|known| known.id == id);
        let known = known.ok_or(refused(4 + at))?;
        if list
            .get(at + 2)
            .is_none_or(|format| format & 3 != known.format as u8)
        {
            return Err(refused(4 + at + 2));
        }
        if size > known.most {
            return Err(refused(4 + at + 3));
        }
        asked.push((known, value.to_vec()));
        at += HEAD_BYTES + size;
    }
    Ok(asked)
}

/// WRITE ATTRIBUTE: all of the list or nothing, on stable storage when this returns. Where a list for another partition
/// has attributes of the whole medium too, these are kept first.
pub(super) fn write(
    data: &[u8],
    partition: u8,
    told: &Told,
    volume: &mut dyn Volume,
) -> Result<(), Sense> {
    if partition > told.last_partition {
        return Err(no_partition());
    }
    let partition = PartitionNumber(partition);
    let (own, whole): (Vec<_>, Vec<_>) = asked(data)?
        .into_iter()
        .partition(|(known, _)| known.by_partition && partition != WHOLE);
    for (place, changes) in [(WHOLE, whole), (partition, own)] {
        if !changes.is_empty() {
            change(volume, place, changes)?;
        }
    }
    Ok(())
}

fn change(
    volume: &mut dyn Volume,
    partition: PartitionNumber,
    changes: Vec<(&'static Host, Vec<u8>)>,
) -> Result<(), Sense> {
    let mut kept = match volume.attributes(partition) {
        Ok(kept) => kept,
        // Those that are still known stay, and the others are gone already: reading told of them.
        Err(AttributesError::Damaged { left, .. }) => left,
        Err(error) => return Err(unwritten(&error)),
    };
    for (known, value) in changes {
        if value.is_empty() {
            kept.remove(known.id);
        } else {
            let format = known.format.into();
            kept.insert(known.id, Attribute { format, value });
        }
    }
    let set = volume.set_attributes(partition, &kept);
    set.map_err(|error| unwritten(&error))
}
