//! READ and WRITE ATTRIBUTE: what is kept with a medium (SPC-4 §7.4, "MAM").

use std::collections::BTreeMap;

use pseudotape_tape::{Capacity, Identity, VolumeIdentity, Writability};

use super::command::AttributeRequest;
use crate::bytes::{Put, be16, be32, length32};
use crate::cdb::flag;
use crate::sense::{FieldPointer, Reason, Sense};

/// How a value is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Format {
    Binary = 0,
    Ascii = 1,
    Text = 2,
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

/// The partition under which those are kept that are of the whole medium.
const WHOLE: u8 = 0;

/// What programs wrote, of every medium that was in the drive.
#[derive(Debug, Default)]
pub(super) struct Attributes {
    media: BTreeMap<String, BTreeMap<(u16, u8), Vec<u8>>>,
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

fn name_of(volume: &VolumeIdentity) -> String {
    match volume.id {
        Some(id) => id.to_string(),
        None => format!("{}\0{}", volume.barcode, volume.label),
    }
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

impl Attributes {
    fn of(&self, told: &Told, partition: u8) -> Vec<Value> {
        let mut out = own(told);
        let written = self.media.get(&name_of(&told.volume));
        for known in &HOST {
            let of = if known.by_partition { partition } else { WHOLE };
            let bytes = written.and_then(|medium| medium.get(&(known.id, of)));
            // A barcode that nobody wrote is the one that the volume has.
            let barcode = || {
                let has = known.id == 0x0806 && !told.volume.barcode.is_empty();
                has.then(|| padded(&told.volume.barcode, known.most))
            };
            if let Some(bytes) = bytes.cloned().or_else(barcode) {
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

    /// The parameter data of READ ATTRIBUTE.
    pub(super) fn read(
        &self,
        request: AttributeRequest,
        partition: u8,
        first: u16,
        told: &Told,
    ) -> Result<Vec<u8>, Sense> {
        const PARTITION_BYTE: u16 = 7;
        const FIRST_BYTE: u16 = 8;
        if partition > told.last_partition {
            return Err(Sense::invalid_field(FieldPointer::command(PARTITION_BYTE)));
        }
        let mut body = Vec::new();
        match request {
            AttributeRequest::Values => {
                let all = self.of(told, partition);
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
                for value in self.of(told, partition) {
                    body.put16(value.id);
                }
            }
            AttributeRequest::Supported => {
                for value in own(told) {
                    body.put16(value.id);
                }
                for known in &HOST {
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

    /// WRITE ATTRIBUTE: all of the list or nothing. A value of no bytes takes an attribute away.
    pub(super) fn write(&mut self, data: &[u8], partition: u8, told: &Told) -> Result<(), Sense> {
        const PARTITION_BYTE: u16 = 7;
        const HEAD_BYTES: usize = 5;
        if partition > told.last_partition {
            return Err(Sense::invalid_field(FieldPointer::command(PARTITION_BYTE)));
        }
        let refused = |at: usize| {
            Sense::invalid_field(FieldPointer::data(u16::try_from(at).unwrap_or(u16::MAX)))
        };
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
            let of = if known.by_partition { partition } else { WHOLE };
            asked.push(((id, of), value.to_vec()));
            at += HEAD_BYTES + size;
        }
        let medium = self.media.entry(name_of(&told.volume)).or_default();
        for (key, value) in asked {
            if value.is_empty() {
                medium.remove(&key);
            } else {
                medium.insert(key, value);
            }
        }
        Ok(())
    }
}
