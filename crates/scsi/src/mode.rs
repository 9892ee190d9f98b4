//! MODE SENSE: headers, block descriptors and pages.

use crate::bytes::{Put, be16, byte, length8, length16};
use crate::cdb::flag;
use crate::primary::{Form, ModeSense, PageControl};
use crate::sense::{FieldPointer, Reason, Sense};

/// Codes of mode pages.
pub(crate) mod page {
    pub(crate) const CONTROL: u8 = 0x0a;
    pub(crate) const COMPRESSION: u8 = 0x0f;
    pub(crate) const DEVICE_CONFIGURATION: u8 = 0x10;
    pub(crate) const MEDIUM_PARTITION: u8 = 0x11;
    pub(crate) const EXCEPTIONS: u8 = 0x1c;
    /// Of a tape drive; a changer has its element addresses under the same code.
    pub(crate) const MEDIUM_CONFIGURATION: u8 = 0x1d;
    pub(crate) const ELEMENT_ADDRESSES: u8 = 0x1d;
    pub(crate) const TRANSPORT_GEOMETRY: u8 = 0x1e;
    pub(crate) const CAPABILITIES: u8 = 0x1f;
    pub(crate) const ALL: u8 = 0x3f;
}

/// A mode page: its code, and what follows its length.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// PAGE CODE.
    pub code: u8,
    /// SUBPAGE CODE; 0: a page without one.
    pub subpage: u8,
    /// The parameters.
    pub body: Vec<u8>,
}

impl Page {
    /// A page without a subpage code.
    #[must_use]
    pub fn new(code: u8, body: Vec<u8>) -> Self {
        Page {
            code,
            subpage: 0,
            body,
        }
    }
}

/// What the header and the block descriptor of MODE SENSE say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ModeHeader {
    /// MEDIUM TYPE.
    pub medium_type: u8,
    /// DEVICE-SPECIFIC PARAMETER.
    pub device_specific: u8,
    /// The block descriptor, of a tape drive.
    pub block: Option<BlockDescriptor>,
}

/// How blocks are recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BlockDescriptor {
    /// DENSITY CODE.
    pub density: u8,
    /// BLOCK LENGTH; 0: variable.
    pub block_bytes: u32,
}

/// The parameter data of MODE SENSE of a unit that takes no MODE SELECT, or why there are none.
pub fn mode_sense(
    command: ModeSense,
    header: ModeHeader,
    pages: &[Page],
) -> Result<Vec<u8>, Sense> {
    if command.control == PageControl::Saved {
        return Err(Sense::illegal(Reason::SAVING_NOT_SUPPORTED));
    }
    let mut wanted = page_selected(command, pages.to_vec())?;
    if command.control == PageControl::Changeable {
        for page in &mut wanted {
            page.body.fill(0);
        }
    }
    Ok(mode_data(command, header, &wanted))
}

/// The pages that the command is about.
pub(crate) fn page_selected(command: ModeSense, pages: Vec<Page>) -> Result<Vec<Page>, Sense> {
    const PAGE_BYTE: u16 = 2;
    const SUBPAGE_BYTE: u16 = 3;
    const ALL_SUBPAGES: u8 = 0xff;
    let is_page = |page: &Page| command.page == page::ALL || command.page == page.code;
    let is_subpage =
        |page: &Page| command.subpage == ALL_SUBPAGES || command.subpage == page.subpage;
    let of_code: Vec<Page> = pages.into_iter().filter(is_page).collect();
    // Page 00h is the maker's; programs ask it for the header alone.
    if of_code.is_empty() && command.page != 0 && command.page != page::ALL {
        return Err(Sense::invalid_field(FieldPointer::command_bit(
            PAGE_BYTE, 5,
        )));
    }
    let wanted: Vec<Page> = of_code.into_iter().filter(is_subpage).collect();
    if wanted.is_empty() && !matches!(command.subpage, 0 | ALL_SUBPAGES) {
        return Err(Sense::invalid_field(FieldPointer::command(SUBPAGE_BYTE)));
    }
    Ok(wanted)
}

/// The parameter data of MODE SENSE: the header, the descriptor where it is wanted, and these pages.
pub(crate) fn mode_data(command: ModeSense, header: ModeHeader, pages: &[Page]) -> Vec<u8> {
    const SUBPAGE_FORMAT: u8 = 0x40;
    let mut rest = Vec::new();
    let block = header.block.filter(|_| command.block_descriptors);
    if let Some(block) = block {
        rest.push(block.density);
        rest.put24(0);
        rest.push(0);
        rest.put24(block.block_bytes);
    }
    let descriptor_bytes = rest.len();
    for page in pages {
        if page.subpage == 0 {
            rest.extend_from_slice(&[page.code, length8(page.body.len())]);
        } else {
            rest.extend_from_slice(&[page.code | SUBPAGE_FORMAT, page.subpage]);
            rest.put16(length16(page.body.len()));
        }
        rest.extend_from_slice(&page.body);
    }
    let mut out = Vec::with_capacity(8 + rest.len());
    match command.form {
        Form::Six => {
            out.push(length8(3 + rest.len()));
            out.push(header.medium_type);
            out.push(header.device_specific);
            out.push(length8(descriptor_bytes));
        }
        Form::Ten => {
            out.put16(length16(6 + rest.len()));
            out.push(header.medium_type);
            out.push(header.device_specific);
            out.zeros(2);
            out.put16(length16(descriptor_bytes));
        }
    }
    out.extend_from_slice(&rest);
    out
}

/// The page of this code, without a subpage, in the parameter data of MODE SENSE; `None` where it is not there as a
/// whole.
#[must_use]
pub fn find_page(data: &[u8], form: Form, code: u8) -> Option<Page> {
    let mut at = match form {
        Form::Six => 4 + usize::from(byte(data, 3)),
        Form::Ten => 8 + usize::from(be16(data, 6)),
    };
    while at + 2 <= data.len() {
        const SUBPAGE_FORMAT: u8 = 0x40;
        let (head, length) = match byte(data, at) & SUBPAGE_FORMAT {
            0 => (2, usize::from(byte(data, at + 1))),
            _ => (4, usize::from(be16(data, at + 2))),
        };
        let body = data.get(at + head..at + head + length)?;
        // The top bits say whether the page can be saved, and whether it is a subpage.
        if byte(data, at) & 0x7f == code {
            return Some(Page::new(code, body.to_vec()));
        }
        at += head + length;
    }
    None
}

/// Where the elements of one type are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// The lowest address.
    pub first: u16,
    /// How many.
    pub count: u16,
}

/// The page that says where the elements are (1Dh).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ElementAddresses {
    /// Transports.
    pub transport: Span,
    /// Slots.
    pub storage: Span,
    /// Import and export.
    pub import_export: Span,
    /// Drives.
    pub drives: Span,
}

impl ElementAddresses {
    /// The page.
    #[must_use]
    pub fn page(&self) -> Page {
        let mut body = Vec::with_capacity(18);
        for span in [
            self.transport,
            self.storage,
            self.import_export,
            self.drives,
        ] {
            body.put16(span.first);
            body.put16(span.count);
        }
        body.zeros(2);
        Page::new(page::ELEMENT_ADDRESSES, body)
    }

    /// What the page says; `None` where it is another page, or too short.
    #[must_use]
    pub fn decode(page: &Page) -> Option<Self> {
        if page.code != page::ELEMENT_ADDRESSES || page.body.len() < 16 {
            return None;
        }
        let span = |at| Span {
            first: be16(&page.body, at),
            count: be16(&page.body, at + 2),
        };
        Some(ElementAddresses {
            transport: span(0),
            storage: span(4),
            import_export: span(8),
            drives: span(12),
        })
    }
}

/// Whether the transports can turn a medium over (1Eh): one for each of them.
#[must_use]
pub fn transport_geometry(rotates: impl Iterator<Item = bool>) -> Page {
    let body = (0..=u8::MAX)
        .zip(rotates)
        .flat_map(|(member, rotates)| [flag(rotates, 0), member])
        .collect();
    Page::new(page::TRANSPORT_GEOMETRY, body)
}

/// What a changer can do (1Fh): everything between slots, drives and import/export; nothing stays in the hand.
///
/// `kinds` are the bits of the types of elements that there are beside the transport; `exchanges` says whether EXCHANGE
/// MEDIUM is done.
#[must_use]
pub fn capabilities(kinds: ElementKinds, exchanges: bool) -> Page {
    let all = kinds.bits();
    // A type that is not there can't be a source.
    let from = |bit: u8| if all & bit != 0 { all } else { 0 };
    let (storage, import_export, drives) = (1 << 1, 1 << 2, 1 << 3);
    let sources = [0, from(storage), from(import_export), from(drives)];
    let mut body = vec![all, 0];
    body.extend_from_slice(&sources);
    body.zeros(4);
    body.extend(sources.map(|bits| if exchanges { bits } else { 0 }));
    body.zeros(4);
    Page::new(page::CAPABILITIES, body)
}

/// Which types of elements a changer has, beside its transports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ElementKinds {
    /// Slots.
    pub storage: bool,
    /// Import and export.
    pub import_export: bool,
    /// Drives.
    pub drives: bool,
}

impl ElementKinds {
    fn bits(self) -> u8 {
        flag(self.storage, 1) | flag(self.import_export, 2) | flag(self.drives, 3)
    }
}

/// Whether a drive compresses (0Fh); `None`: it can't.
#[must_use]
pub fn compression(compression: Option<bool>) -> Page {
    const ENABLED: u8 = 7;
    const CAPABLE: u8 = 6;
    let on = compression == Some(true);
    let mut body = vec![
        flag(on, ENABLED) | flag(compression.is_some(), CAPABLE),
        flag(compression.is_some(), ENABLED),
    ];
    // The algorithm: the default one, or none.
    let algorithm = u32::from(on);
    body.put32(algorithm);
    body.put32(algorithm);
    body.zeros(4);
    Page::new(page::COMPRESSION, body)
}

/// How a drive works (10h).
#[must_use]
pub fn device_configuration(partition: u8, compression: Option<bool>) -> Page {
    let mut body = vec![0, partition, 0, 0];
    body.put16(0); // no delay of what is written
    body.push(0x40); // block identifiers are supported
    body.push(0);
    body.push(0x10); // EEG: the end of data is made by writing
    body.put24(0);
    body.push(u8::from(compression == Some(true)));
    body.push(0);
    Page::new(page::DEVICE_CONFIGURATION, body)
}

/// The partitions of a medium (11h). Their sizes are told only by the image.
#[must_use]
pub fn medium_partitions(last_partition: u8, most: u8) -> Page {
    const MEGABYTES: u8 = 0x10;
    const FORMAT_AND_PARTITION: u8 = 0x03;
    let mut body = vec![most, last_partition, MEGABYTES, FORMAT_AND_PARTITION];
    body.zeros(2);
    for _ in 0..=last_partition {
        // FFFFh: more than the field holds, or not known.
        body.put16(u16::MAX);
    }
    Page::new(page::MEDIUM_PARTITION, body)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(form: Form, code: u8) -> ModeSense {
        ModeSense {
            form,
            block_descriptors: true,
            control: PageControl::Current,
            page: code,
            subpage: 0,
            allocation: 255,
        }
    }

    fn addresses() -> ElementAddresses {
        let span = |first, count| Span { first, count };
        ElementAddresses {
            transport: span(1, 1),
            storage: span(0x1000, 20),
            import_export: span(0x300, 2),
            drives: span(0x100, 4),
        }
    }

    fn pages() -> Vec<Page> {
        let kinds = ElementKinds {
            storage: true,
            import_export: true,
            drives: true,
        };
        vec![
            addresses().page(),
            transport_geometry([false].into_iter()),
            capabilities(kinds, true),
        ]
    }

    #[test]
    fn the_element_address_page_has_the_bytes_of_the_standard() {
        let data = mode_sense(command(Form::Six, 0x1d), ModeHeader::default(), &pages()).unwrap();
        let expected = [
            23, 0, 0, 0, 0x1d, 18, 0, 1, 0, 1, 0x10, 0, 0, 20, 3, 0, 0, 2, 1, 0, 0, 4, 0, 0,
        ];
        assert_eq!(data, expected);
        let page = find_page(&data, Form::Six, 0x1d).unwrap();
        assert_eq!(ElementAddresses::decode(&page), Some(addresses()));
    }

    #[test]
    fn all_pages_come_behind_a_header_of_ten() {
        let all = command(Form::Ten, 0x3f);
        let data = mode_sense(all, ModeHeader::default(), &pages()).unwrap();
        assert_eq!(data[..8], [0, 50, 0, 0, 0, 0, 0, 0]);
        assert_eq!(data[28..32], [0x1e, 2, 0, 0]);
        let capabilities = [
            0x1f, 18, 0x0e, 0, 0, 0x0e, 0x0e, 0x0e, 0, 0, 0, 0, 0, 0x0e, 0x0e, 0x0e, 0, 0, 0, 0,
        ];
        assert_eq!(data[32..], capabilities);
        assert!(find_page(&data, Form::Ten, 0x1f).is_some());
        assert_eq!(find_page(&data[..40], Form::Ten, 0x1f), None);
    }

    #[test]
    fn a_tape_has_a_block_descriptor_unless_it_is_not_wanted() {
        let header = ModeHeader {
            device_specific: 0x90,
            block: Some(BlockDescriptor {
                density: 0x58,
                block_bytes: 512,
            }),
            ..ModeHeader::default()
        };
        let pages = [compression(Some(true))];
        let wanted = command(Form::Six, 0x0f);
        let data = mode_sense(wanted, header, &pages).unwrap();
        assert_eq!(data[..12], [27, 0, 0x90, 8, 0x58, 0, 0, 0, 0, 0, 2, 0]);
        assert_eq!(data[12..16], [0x0f, 14, 0xc0, 0x80]);
        let unwanted = ModeSense {
            block_descriptors: false,
            ..wanted
        };
        let data = mode_sense(unwanted, header, &pages).unwrap();
        assert_eq!(data[..5], [19, 0, 0x90, 0, 0x0f]);
    }

    #[test]
    fn no_value_can_be_changed_or_was_saved() {
        let changeable = ModeSense {
            control: PageControl::Changeable,
            ..command(Form::Six, 0x1d)
        };
        let data = mode_sense(changeable, ModeHeader::default(), &pages()).unwrap();
        assert_eq!(data[4..6], [0x1d, 18]);
        assert!(data[6..].iter().all(|byte| *byte == 0));
        let saved = ModeSense {
            control: PageControl::Saved,
            ..changeable
        };
        let refused = mode_sense(saved, ModeHeader::default(), &pages());
        assert_eq!(refused, Err(Sense::illegal(Reason::SAVING_NOT_SUPPORTED)));
    }

    #[test]
    fn a_page_that_is_not_there_is_an_invalid_field() {
        let refused = mode_sense(command(Form::Six, 0x0a), ModeHeader::default(), &pages());
        let field = FieldPointer::command_bit(2, 5);
        assert_eq!(refused, Err(Sense::invalid_field(field)));
        let subpage = ModeSense {
            subpage: 1,
            ..command(Form::Six, 0x1d)
        };
        let refused = mode_sense(subpage, ModeHeader::default(), &pages());
        assert_eq!(refused, Err(Sense::invalid_field(FieldPointer::command(3))));
        let header = mode_sense(command(Form::Six, 0), ModeHeader::default(), &pages());
        assert_eq!(header, Ok(vec![3, 0, 0, 0]));
    }
}
