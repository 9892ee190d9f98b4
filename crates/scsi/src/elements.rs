//! READ ELEMENT STATUS: what is in the elements of a changer.

use thiserror::Error;

use crate::bytes::{Put, be16, be24, byte, field_text, length16, length32};
use crate::cdb::flag;
use crate::changer_command::{ElementType, ReadElementStatus};
use crate::sense::Reason;

/// Length of a volume tag: identifier, two reserved bytes, sequence number.
const TAG_BYTES: usize = 36;
/// Characters of a volume identifier.
pub const VOLUME_ID_CHARS: usize = 32;
const HEADER_BYTES: usize = 8;
const PAGE_HEADER_BYTES: usize = 8;
/// A descriptor without tag and device identifier, but with that one's header.
const DESCRIPTOR_BYTES: usize = 16;

/// What an element descriptor says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ElementDescriptor {
    /// The element's type.
    pub element_type: ElementType,
    /// Its address.
    pub address: u16,
    /// FULL: a medium is there.
    pub full: bool,
    /// ACCESS: the transport can reach it. Of a drive: its door is open.
    pub access: bool,
    /// Why something is wrong with it (EXCEPT and the sense code).
    pub exception: Option<Reason>,
    /// IMPEXP: an operator put the medium there.
    pub placed_by_operator: bool,
    /// INENAB: it can be used to import.
    pub imports: bool,
    /// EXENAB: it can be used to export.
    pub exports: bool,
    /// The slot that the medium came from, where that is known (SVALID).
    pub source: Option<u16>,
    /// INVERT: the medium was turned over.
    pub inverted: bool,
    /// The barcode, where there is one and it was asked for.
    pub volume_tag: Option<String>,
    /// The designator of the drive (as page 83h has it, with its header), where there is one and it was asked for.
    pub device_id: Option<Vec<u8>>,
}

impl ElementDescriptor {
    /// An empty element.
    #[must_use]
    pub fn new(element_type: ElementType, address: u16) -> Self {
        ElementDescriptor {
            element_type,
            address,
            full: false,
            access: true,
            exception: None,
            placed_by_operator: false,
            imports: false,
            exports: false,
            source: None,
            inverted: false,
            volume_tag: None,
            device_id: None,
        }
    }

    /// The byte of its flags.
    #[must_use]
    pub fn flags(&self) -> u8 {
        let is = |kind| self.element_type == kind;
        let import_export = is(ElementType::ImportExport);
        flag(import_export && self.imports, 5)
            | flag(import_export && self.exports, 4)
            | flag(!is(ElementType::Transport) && self.access, 3)
            | flag(self.exception.is_some(), 2)
            | flag(import_export && self.placed_by_operator, 1)
            | flag(self.full, 0)
    }

    fn encode(&self, volume_tags: bool, id_bytes: usize, out: &mut Vec<u8>) {
        const SOURCE_VALID: u8 = 7;
        const INVERT: u8 = 6;
        out.put16(self.address);
        let exception = self.exception.unwrap_or_default();
        let flags = self.flags();
        out.extend_from_slice(&[flags, 0, exception.code, exception.qualifier, 0, 0, 0]);
        out.push(flag(self.source.is_some(), SOURCE_VALID) | flag(self.inverted, INVERT));
        out.put16(self.source.unwrap_or(0));
        if volume_tags {
            match &self.volume_tag {
                Some(tag) => {
                    out.text(tag, VOLUME_ID_CHARS);
                    out.zeros(TAG_BYTES - VOLUME_ID_CHARS);
                }
                None => out.zeros(TAG_BYTES),
            }
        }
        let id = self.device_id.as_deref().unwrap_or_default();
        let end = out.len() + 4 + id_bytes;
        match id.len() {
            0 => out.zeros(4),
            _ => out.extend_from_slice(id),
        }
        out.resize(end, 0);
    }
}

/// The parameter data of READ ELEMENT STATUS: at most as much as there is room for, and no half descriptors.
///
/// `elements` are those that the command asks for, in the order of their addresses: the caller has honoured type, start
/// and count. A type whose addresses are in several parts has several pages.
#[must_use]
pub fn element_status(command: &ReadElementStatus, elements: &[ElementDescriptor]) -> Vec<u8> {
    let room = usize::try_from(command.allocation).unwrap_or(usize::MAX);
    let pages: Vec<&[ElementDescriptor]> = elements
        .chunk_by(|a, b| a.element_type == b.element_type)
        .collect();
    let total: usize = pages.iter().map(|page| page_bytes(command, page)).sum();
    let mut out = Vec::with_capacity(room.min(HEADER_BYTES + total));
    out.put16(elements.first().map_or(0, |element| element.address));
    out.put16(length16(elements.len()));
    out.push(0);
    out.put24(length32(total));
    for page in pages {
        let length = descriptor_bytes(command, page);
        let Some(left) = room.checked_sub(out.len() + PAGE_HEADER_BYTES) else {
            break;
        };
        let fitting = page.get(..left / length).unwrap_or(page);
        let Some(first) = fitting.first() else {
            break;
        };
        out.push(first.element_type.code());
        out.push(flag(command.volume_tags, 7));
        out.put16(length16(length));
        out.push(0);
        out.put24(length32(length * page.len()));
        let id_bytes = id_bytes(command, page);
        for element in fitting {
            element.encode(command.volume_tags, id_bytes, &mut out);
        }
        if fitting.len() < page.len() {
            break;
        }
    }
    out.truncate(room);
    out
}

/// Length of the longest device identifier of a page, without its header.
fn id_bytes(command: &ReadElementStatus, page: &[ElementDescriptor]) -> usize {
    let ids = page.iter().filter_map(|element| element.device_id.as_ref());
    let ids = ids.filter(|_| command.device_ids);
    ids.map(|id| id.len().saturating_sub(4)).max().unwrap_or(0)
}

fn descriptor_bytes(command: &ReadElementStatus, page: &[ElementDescriptor]) -> usize {
    let tag = if command.volume_tags { TAG_BYTES } else { 0 };
    DESCRIPTOR_BYTES + tag + id_bytes(command, page)
}

fn page_bytes(command: &ReadElementStatus, page: &[ElementDescriptor]) -> usize {
    PAGE_HEADER_BYTES + descriptor_bytes(command, page) * page.len()
}

/// What a changer answered to READ ELEMENT STATUS.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ElementReport {
    /// How many elements meet the request, also where not all of them are here.
    pub available: u16,
    /// How long the whole report is, with its header.
    pub report_bytes: u32,
    /// The elements that were sent whole.
    pub elements: Vec<ElementDescriptor>,
}

/// Why bytes are no report.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReportError {
    /// Shorter than its header.
    #[error("element status of {0} bytes is shorter than its header")]
    NoHeader(usize),
    /// A page of a type that there is not.
    #[error("element status has a page of the unknown type {0}")]
    UnknownType(u8),
    /// Descriptors that are too short to be any.
    #[error("element status has descriptors of {0} bytes")]
    ShortDescriptor(u16),
}

/// What the parameter data of READ ELEMENT STATUS say. A report that was cut is read as far as it goes.
pub fn decode_element_status(data: &[u8]) -> Result<ElementReport, ReportError> {
    if data.len() < HEADER_BYTES {
        return Err(ReportError::NoHeader(data.len()));
    }
    let mut report = ElementReport {
        available: be16(data, 2),
        report_bytes: be24(data, 5) + length32(HEADER_BYTES),
        elements: Vec::new(),
    };
    let end = usize::try_from(report.report_bytes).unwrap_or(usize::MAX);
    let data = data.get(..end).unwrap_or(data);
    let mut at = HEADER_BYTES;
    while let Some(header) = data.get(at..at + PAGE_HEADER_BYTES) {
        let code = byte(header, 0);
        let kind = ElementType::from_code(code).ok_or(ReportError::UnknownType(code))?;
        let tags = byte(header, 1);
        let length = be16(header, 2);
        if length < 12 {
            return Err(ReportError::ShortDescriptor(length));
        }
        let bytes = usize::try_from(be24(header, 5)).unwrap_or(usize::MAX);
        at += PAGE_HEADER_BYTES;
        let rest = data.get(at..).unwrap_or_default();
        let body = rest.get(..bytes).unwrap_or(rest);
        for descriptor in body.chunks_exact(length.into()) {
            report.elements.push(decode_element(kind, tags, descriptor));
        }
        at = at.saturating_add(bytes);
    }
    Ok(report)
}

fn decode_element(kind: ElementType, tags: u8, bytes: &[u8]) -> ElementDescriptor {
    let flags = byte(bytes, 2);
    let has = |bit: u8| flags & 1 << bit != 0;
    let import_export = kind == ElementType::ImportExport;
    let primary = tags & 0x80 != 0;
    let alternate = tags & 0x40 != 0;
    let mut at = 12;
    let volume_tag = primary
        .then(|| field_text(bytes, at, VOLUME_ID_CHARS))
        .filter(|tag| !tag.is_empty());
    at += if primary { TAG_BYTES } else { 0 } + if alternate { TAG_BYTES } else { 0 };
    let id_length = usize::from(byte(bytes, at + 3));
    let device_id = bytes
        .get(at..at + 4 + id_length)
        .filter(|_| id_length > 0)
        .map(<[u8]>::to_vec);
    ElementDescriptor {
        element_type: kind,
        address: be16(bytes, 0),
        full: has(0),
        access: kind == ElementType::Transport || has(3),
        exception: has(2).then(|| Reason {
            code: byte(bytes, 4),
            qualifier: byte(bytes, 5),
        }),
        placed_by_operator: import_export && has(1),
        imports: import_export && has(5),
        exports: import_export && has(4),
        source: (byte(bytes, 9) & 0x80 != 0).then(|| be16(bytes, 10)),
        inverted: byte(bytes, 9) & 0x40 != 0,
        volume_tag,
        device_id,
    }
}

/// How long a report of this many elements can get, for whoever makes room for one.
#[must_use]
pub fn report_max_bytes(elements: u16, id_bytes: u8) -> u32 {
    let descriptor = DESCRIPTOR_BYTES + TAG_BYTES + usize::from(id_bytes);
    let pages = ElementType::ALL.len() * PAGE_HEADER_BYTES;
    length32(HEADER_BYTES + pages + descriptor * usize::from(elements))
}

#[cfg(test)]
#[path = "elements_test.rs"]
mod tests;
