//! The requests of the kernel's `ch` driver (`linux/chio.h`). As in that driver, each request is one or more SCSI
//! commands, and what became of these is told as an error number.

use pseudotape_chardev::{Area, Errno, IoctlAreas, IoctlRequest, WordSize};
use pseudotape_scsi::{
    ChangerCommand, ElementAddresses, ElementDescriptor, ElementType, ExchangeMedium, Form,
    ModeSense, MoveMedium, PageControl, PrimaryCommand, ReadElementStatus, Reply, Sense, Span,
    Status, VOLUME_ID_CHARS, decode_element_status, find_page, report_max_bytes,
};

/// Executes one command.
pub(crate) type Execute<'a> = &'a mut dyn FnMut(&ChangerCommand) -> Reply;

/// What a request number asks of `ch`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Request {
    Move,
    Exchange,
    Position,
    GetPicker,
    SetPicker,
    Parameters,
    StatusOfType,
    Element,
    Initialize,
    SetVolumeTag,
    VendorParameters,
}

const EINVAL: Errno = Errno::EINVAL;
const EBADE: Errno = Errno(52);
const EXFULL: Errno = Errno(54);
const EBADRQC: Errno = Errno(56);
const EBADSLT: Errno = Errno(57);

/// `struct changer_get_element`.
const ELEMENT_BYTES: usize = 108;
/// `struct changer_vendor_params`.
const VENDOR_BYTES: usize = 104;

impl Request {
    fn of(command: u32) -> Option<Self> {
        Some(match command {
            0x4014_6301 => Request::Move,
            0x401c_6302 => Request::Exchange,
            0x400c_6303 => Request::Position,
            0x8004_6304 => Request::GetPicker,
            0x4004_6305 => Request::SetPicker,
            0x8014_6306 => Request::Parameters,
            0x4010_6308 | 0x4008_6308 => Request::StatusOfType,
            0x406c_6310 => Request::Element,
            0x6311 => Request::Initialize,
            0x4030_6312 => Request::SetVolumeTag,
            0x8068_6313 => Request::VendorParameters,
            _ => return None,
        })
    }
}

/// Whether this is a request of `ch`.
pub(crate) fn is_request(command: u32) -> bool {
    Request::of(command).is_some()
}

/// Which of the caller's memory a request needs. The number of a request says it, but for two of them: `CHIOGELEM` also
/// writes where its number says that it reads, and `CHIOGSTATUS` writes where a pointer in its structure leads.
pub(crate) fn areas(request: IoctlRequest<'_>, execute: Execute<'_>) -> Result<IoctlAreas, Errno> {
    let mut areas = IoctlAreas::of_command(request.command, request.argument);
    match Request::of(request.command) {
        Some(Request::Element) => areas.output = areas.input.clone(),
        Some(Request::StatusOfType) if !request.input.is_empty() => {
            let (kind, address) = status_of_type(request)?;
            let count = Elements::ask(execute)?.span(kind).count;
            if count > 0 {
                areas.output = vec![Area {
                    address,
                    length_bytes: count.into(),
                }];
            }
        }
        _ => {}
    }
    Ok(areas)
}

/// Answers a request whose memory is there.
pub(crate) fn answer(
    request: IoctlRequest<'_>,
    output: &mut Vec<u8>,
    execute: Execute<'_>,
) -> Result<i32, Errno> {
    let what = Request::of(request.command).ok_or(EINVAL)?;
    let elements = Elements::ask(execute)?;
    let number = |index| word(request.input, index);
    match what {
        Request::Move => {
            let command = ChangerCommand::Move(MoveMedium {
                transport: elements.transport(),
                source: elements.address(number(0)?, number(1)?)?,
                destination: elements.address(number(2)?, number(3)?)?,
                invert: number(4)? & 1 != 0,
            });
            done(&execute(&command))
        }
        Request::Exchange => {
            let command = ChangerCommand::Exchange(ExchangeMedium {
                transport: elements.transport(),
                source: elements.address(number(0)?, number(1)?)?,
                first_destination: elements.address(number(2)?, number(3)?)?,
                second_destination: elements.address(number(4)?, number(5)?)?,
                invert_first: number(6)? & 1 != 0,
                invert_second: number(6)? & 2 != 0,
            });
            done(&execute(&command))
        }
        Request::Position => {
            let command = ChangerCommand::Position {
                transport: elements.transport(),
                destination: elements.address(number(0)?, number(1)?)?,
                invert: number(2)? & 1 != 0,
            };
            done(&execute(&command))
        }
        // There is one transport.
        Request::GetPicker => give(output, &[0]),
        Request::SetPicker if number(0)? == 0 => Ok(0),
        Request::SetPicker => Err(EINVAL),
        Request::Parameters => give(output, &elements.parameters()),
        Request::StatusOfType => {
            let (kind, _) = status_of_type(request)?;
            let found = elements.read(kind, elements.span(kind), execute)?;
            output.extend(found.iter().map(ElementDescriptor::flags));
            Ok(0)
        }
        Request::Element => elements.element(request.input, output, execute),
        Request::Initialize => done(&execute(&ChangerCommand::Initialize(None))),
        // SEND VOLUME TAG is a command that this changer does not know.
        Request::SetVolumeTag => Err(EBADRQC),
        Request::VendorParameters => {
            output.resize(output.len() + VENDOR_BYTES, 0);
            Ok(0)
        }
    }
}

fn give(output: &mut Vec<u8>, numbers: &[i32]) -> Result<i32, Errno> {
    for number in numbers {
        output.extend_from_slice(&number.to_le_bytes());
    }
    Ok(0)
}

/// The `int` at this index of a structure.
fn word(input: &[u8], index: usize) -> Result<i32, Errno> {
    let bytes = input.get(index * 4..).and_then(|rest| rest.first_chunk());
    Ok(i32::from_le_bytes(*bytes.ok_or(EINVAL)?))
}

/// Type and pointer of `struct changer_element_status`.
fn status_of_type(request: IoctlRequest<'_>) -> Result<(ElementType, u64), Errno> {
    let kind = element_type(word(request.input, 0)?).ok_or(EINVAL)?;
    let pointer = match request.word_size {
        WordSize::Bits64 => {
            let bytes = request.input.get(8..).and_then(|rest| rest.first_chunk());
            u64::from_le_bytes(*bytes.ok_or(EINVAL)?)
        }
        WordSize::Bits32 => {
            let bytes = request.input.get(4..).and_then(|rest| rest.first_chunk());
            u32::from_le_bytes(*bytes.ok_or(EINVAL)?).into()
        }
    };
    Ok((kind, pointer))
}

/// `CHET_MT` and so on: the codes of SMC less one.
fn element_type(number: i32) -> Option<ElementType> {
    let code = u8::try_from(number).ok()?.checked_add(1)?;
    ElementType::from_code(code)
}

/// What became of a command, as `ch_find_errno` has it.
fn done(reply: &Reply) -> Result<i32, Errno> {
    match (reply.status, &reply.sense) {
        (Status::Good, _) => Ok(0),
        (_, Some(sense)) => Err(errno_of(sense)),
        (Status::Busy | Status::ReservationConflict, None) => Err(Errno::EBUSY),
        (_, None) => Err(Errno::EIO),
    }
}

fn errno_of(sense: &Sense) -> Errno {
    match (sense.key.bits(), sense.reason.code, sense.reason.qualifier) {
        (0x5, 0x21, 0x01) => EBADSLT,
        (0x5, 0x28, 0x01) | (0x5, 0x3b, 0x0e) => EBADE,
        (0x5, 0x3b, 0x0d) => EXFULL,
        (0x5, 0x20, 0x00) => EBADRQC,
        _ => Errno::EIO,
    }
}

/// Where the elements are, as the changer says.
struct Elements(ElementAddresses);

impl Elements {
    fn ask(execute: Execute<'_>) -> Result<Self, Errno> {
        const PAGE: u8 = 0x1d;
        let command = ModeSense {
            form: Form::Six,
            block_descriptors: false,
            control: PageControl::Current,
            page: PAGE,
            subpage: 0,
            allocation: 255,
        };
        let reply = execute(&ChangerCommand::Primary(PrimaryCommand::ModeSense(command)));
        done(&reply)?;
        let page = find_page(&reply.data, Form::Six, PAGE);
        let addresses = page.and_then(|page| ElementAddresses::decode(&page));
        Ok(Elements(addresses.ok_or(Errno::EIO)?))
    }

    fn span(&self, kind: ElementType) -> Span {
        match kind {
            ElementType::Transport => self.0.transport,
            ElementType::Storage => self.0.storage,
            ElementType::ImportExport => self.0.import_export,
            ElementType::DataTransfer => self.0.drives,
        }
    }

    fn transport(&self) -> u16 {
        self.0.transport.first
    }

    /// The address of a unit of a type; EBADSLT where there is none, as `ch_checkrange` has it.
    fn address(&self, kind: i32, unit: i32) -> Result<u16, Errno> {
        let span = self.span(element_type(kind).ok_or(EBADSLT)?);
        let unit = u16::try_from(unit).map_err(|_| EBADSLT)?;
        if unit >= span.count {
            return Err(EBADSLT);
        }
        span.first.checked_add(unit).ok_or(EBADSLT)
    }

    /// `struct changer_params`.
    fn parameters(&self) -> [i32; 5] {
        let ElementAddresses {
            transport,
            storage,
            import_export,
            drives,
        } = self.0;
        let count = |span: Span| i32::from(span.count);
        [
            0,
            count(transport),
            count(storage),
            count(import_export),
            count(drives),
        ]
    }

    fn read(
        &self,
        kind: ElementType,
        span: Span,
        execute: Execute<'_>,
    ) -> Result<Vec<ElementDescriptor>, Errno> {
        let command = ReadElementStatus {
            element_type: Some(kind),
            volume_tags: true,
            device_ids: false,
            current_data: true,
            start: span.first,
            count: span.count,
            allocation: report_max_bytes(span.count, 0),
        };
        let reply = execute(&ChangerCommand::ReadElementStatus(command));
        done(&reply)?;
        let report = decode_element_status(&reply.data).map_err(|_| Errno::EIO)?;
        Ok(report.elements)
    }

    /// Which type and unit an address is.
    fn find(&self, address: u16) -> Option<(i32, i32)> {
        (0..).zip(ElementType::ALL).find_map(|(number, kind)| {
            let span = self.span(kind);
            let unit = address.checked_sub(span.first)?;
            (unit < span.count).then_some((number, i32::from(unit)))
        })
    }

    /// `CHIOGELEM`.
    fn element(
        &self,
        input: &[u8],
        output: &mut Vec<u8>,
        execute: Execute<'_>,
    ) -> Result<i32, Errno> {
        const ERRNO: i32 = 0x01;
        const INVERT: i32 = 0x02;
        const SOURCE: i32 = 0x04;
        const TAG: i32 = 0x10;
        const TAG_BYTES: usize = 36;
        let (kind, unit) = (word(input, 0)?, word(input, 1)?);
        let first = self.address(kind, unit).map_err(|_| EINVAL)?;
        let element_type = element_type(kind).ok_or(EINVAL)?;
        let span = Span { first, count: 1 };
        let found = self.read(element_type, span, execute)?;
        let element = found.first().ok_or(Errno::EIO)?;
        let source = element.source.and_then(|source| self.find(source));
        let flag = |on: bool, value: i32| if on { value } else { 0 };
        let flags = flag(element.exception.is_some(), ERRNO)
            | flag(element.inverted, INVERT)
            | flag(source.is_some(), SOURCE)
            | flag(element.volume_tag.is_some(), TAG);
        let (source_type, source_unit) = source.unwrap_or_default();
        let errno = flag(element.exception.is_some(), Errno::EIO.0);
        let status = i32::from(element.flags());
        let (id, lun) = (0, 0);
        let head = [kind, unit, status, errno, source_type, source_unit, id, lun];
        let start = output.len();
        give(output, &head)?;
        let tag = element.volume_tag.as_deref().unwrap_or_default();
        let tag = tag
            .as_bytes()
            .get(..VOLUME_ID_CHARS)
            .unwrap_or(tag.as_bytes());
        output.extend_from_slice(tag);
        // The rest of this tag, and the alternate one, which no cartridge has.
        output.resize(start + size_of_val(&head) + 2 * TAG_BYTES, 0);
        give(output, &[flags])?;
        debug_assert_eq!(output.len() - start, ELEMENT_BYTES);
        Ok(0)
    }
}
