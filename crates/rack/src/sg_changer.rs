//! A changer that takes SCSI commands, real or pseudo.

use std::collections::HashSet;
use std::io;
use std::time::Duration;

use pseudotape_changer::{
    Address, AddressRange, Changer, ChangerIdentity, Doubt, DriveIdentity, Element, ElementKind,
    Exception, Exchange, Inventory, Layout, Medium, Move, Refusal, Removal, Selection, Side, Span,
};
use pseudotape_scsi::{
    ChangerCommand, DeviceType, ElementAddresses, ElementDescriptor, ElementRange, ElementType,
    ExchangeMedium, Form, ModeSense, MoveMedium, PageControl, PrimaryCommand, ReadElementStatus,
    Reason, Reply, Sense, SenseKey, Status, UnitIdentity, decode_element_status, find_page,
    report_max_bytes,
};

/// Who brings commands to a unit.
pub trait Initiator {
    /// Sends a command, and takes up to `room` bytes of data back. An error says that nobody knows what the unit did.
    fn execute(&mut self, cdb: &[u8], room: u32, patience: Duration) -> io::Result<Reply>;
}

/// How long an answer may take: a drive may have to write much before it gives its cartridge, a changer to look at all
/// of its labels.
pub const PATIENCE: Duration = Duration::from_secs(300);
/// How often a unit may have news before it answers.
const NEWS: u32 = 16;
/// Elements that are asked for at a time: with their labels they fit into what one request carries.
const AT_A_TIME: u16 = 1000;
/// The page of element addresses, and how much room it needs with its header.
const ADDRESSES: (u8, u16) = (0x1d, 64);

/// A changer behind `SG_IO`.
///
/// It says nothing of programs: which of them has a drive is told when a move is refused.
#[derive(Debug)]
pub struct SgChanger<I> {
    initiator: I,
    identity: ChangerIdentity,
    layout: Layout,
}

/// Why a command has no good end.
enum Trouble {
    /// The unit refused it, or failed.
    Sense(Sense),
    /// Nobody knows.
    Lost(String),
}

impl Trouble {
    fn text(&self) -> String {
        match self {
            Trouble::Sense(sense) => sense.to_string(),
            Trouble::Lost(why) => why.clone(),
        }
    }

    /// For a question.
    fn not_ready(&self) -> Refusal {
        let reason = self.text();
        Refusal::NotReady { reason }
    }
}

impl<I: Initiator> SgChanger<I> {
    /// Asks the unit what it is, and which elements it has.
    pub fn new(initiator: I) -> io::Result<Self> {
        let mut changer = SgChanger {
            initiator,
            identity: ChangerIdentity {
                vendor: String::new(),
                product: String::new(),
                revision: String::new(),
                serial: String::new(),
            },
            layout: Layout::UNKNOWN,
        };
        changer.identity = changer.ask_identity()?;
        changer.layout = changer.ask_layout()?;
        Ok(changer)
    }

    fn ask_identity(&mut self) -> io::Result<ChangerIdentity> {
        let inquiry = |page| PrimaryCommand::Inquiry {
            page,
            allocation: 254,
        };
        let failed = |trouble: Trouble| io::Error::other(format!("INQUIRY: {}", trouble.text()));
        let data = self.primary(inquiry(None), 254).map_err(failed)?;
        let unit = UnitIdentity::decode(&data)
            .filter(|unit| unit.device_type == DeviceType::Changer)
            .ok_or_else(|| io::Error::other("it is no changer"))?;
        // Old changers have no such page.
        let serial = self.primary(inquiry(Some(0x80)), 254).ok();
        let serial = serial.and_then(|page| UnitIdentity::decode_serial(&page));
        Ok(ChangerIdentity {
            vendor: unit.vendor,
            product: unit.product,
            revision: unit.revision,
            serial: serial.unwrap_or_default(),
        })
    }

    fn ask_layout(&mut self) -> io::Result<Layout> {
        let (page, room) = ADDRESSES;
        let sense = PrimaryCommand::ModeSense(ModeSense {
            form: Form::Six,
            block_descriptors: false,
            control: PageControl::Current,
            page,
            subpage: 0,
            allocation: room,
        });
        let data = self.primary(sense, room.into()).map_err(|trouble| {
            io::Error::other(format!("MODE SENSE of its elements: {}", trouble.text()))
        })?;
        let addresses = find_page(&data, Form::Six, page)
            .as_ref()
            .and_then(ElementAddresses::decode)
            .ok_or_else(|| io::Error::other("it does not say which elements it has"))?;
        let span = |span: pseudotape_scsi::Span| Span {
            first: Address(span.first),
            count: span.count,
        };
        let layout = Layout {
            transports: span(addresses.transport),
            slots: span(addresses.storage),
            import_export: span(addresses.import_export),
            drives: span(addresses.drives),
        };
        layout
            .check()
            .map_err(|error| io::Error::other(format!("its elements: {error}")))?;
        Ok(layout)
    }

    fn primary(&mut self, command: PrimaryCommand, room: u32) -> Result<Vec<u8>, Trouble> {
        self.send(&ChangerCommand::Primary(command), room)
    }

    /// Sends a command until the unit has no more news. A unit with news has not obeyed.
    fn send(&mut self, command: &ChangerCommand, room: u32) -> Result<Vec<u8>, Trouble> {
        let cdb = command.encode();
        for _ in 0..NEWS {
            let reply = self.initiator.execute(&cdb, room, PATIENCE);
            let reply = reply.map_err(|error| Trouble::Lost(error.to_string()))?;
            match (reply.status, reply.sense) {
                (Status::Good, _) => return Ok(reply.data),
                (Status::CheckCondition, Some(sense)) => match sense.key {
                    SenseKey::UnitAttention => {}
                    SenseKey::RecoveredError | SenseKey::NoSense => return Ok(reply.data),
                    _ => return Err(Trouble::Sense(sense)),
                },
                (status, _) => {
                    return Err(Trouble::Lost(format!("the unit ended with {status:?}")));
                }
            }
        }
        Err(Trouble::Lost(
            "the unit has news again and again".to_owned(),
        ))
    }

    /// The elements of one kind from one address to another, both included.
    fn read(
        &mut self,
        kind: ElementKind,
        (first, last): (u16, u16),
        device_ids: bool,
    ) -> Result<Vec<ElementDescriptor>, Refusal> {
        let mut elements: Vec<ElementDescriptor> = Vec::new();
        let mut start = Some(first);
        while let Some(from) = start.filter(|from| *from <= last) {
            let count = (last - from).saturating_add(1).min(AT_A_TIME);
            let room = report_max_bytes(count, if device_ids { u8::MAX } else { 0 });
            let command = ChangerCommand::ReadElementStatus(ReadElementStatus {
                element_type: Some(element_type(kind)),
                volume_tags: true,
                device_ids,
                current_data: false,
                start: from,
                count,
                allocation: room,
            });
            let data = self.send(&command, room);
            let data = data.map_err(|trouble| trouble.not_ready())?;
            let report = decode_element_status(&data).map_err(|error| Refusal::NotReady {
                reason: error.to_string(),
            })?;
            let found = report.elements.into_iter().filter(|element| {
                element.element_type == element_type(kind)
                    && (from..=last).contains(&element.address)
            });
            let before = elements.len();
            elements.extend(found);
            let end = elements.last().map(|element| element.address);
            start = match end.filter(|_| elements.len() > before) {
                Some(end) => end.checked_add(1),
                None => None,
            };
        }
        let told: HashSet<u16> = elements.iter().map(|element| element.address).collect();
        let missing = (first..=last).find(|address| !told.contains(address));
        match missing {
            None => Ok(elements),
            Some(address) => Err(Refusal::NotReady {
                reason: format!("the changer says nothing about element {address}"),
            }),
        }
    }

    /// Ends a move: what can't be known from the answer, the inventory says.
    fn ended(
        &mut self,
        doubt: Doubt,
        sent: Result<Vec<u8>, Trouble>,
        cartridge: Move,
        destination: Address,
    ) -> Result<(), Refusal> {
        let trouble = match sent {
            Ok(_) => return Ok(()),
            Err(trouble) => trouble,
        };
        if let Trouble::Sense(sense) = &trouble
            && sense.key == SenseKey::IllegalRequest
        {
            return Err(self.refused(sense, cartridge, destination));
        }
        let not_ready = matches!(&trouble, Trouble::Sense(s) if s.key == SenseKey::NotReady);
        match doubt.settle(self, &trouble.text()) {
            Err(Refusal::Failed { reason }) if not_ready => Err(Refusal::NotReady { reason }),
            settled => settled,
        }
    }

    /// A refusal after which nothing was moved, in our words.
    fn refused(&self, sense: &Sense, cartridge: Move, destination: Address) -> Refusal {
        let Move { from, to, side } = cartridge;
        let named = |address: Address| {
            let base = |kind| u16::from(kind != ElementKind::Drive);
            let found = self.layout.find(address);
            found.map_or((ElementKind::Storage, 0), |(kind, number)| {
                (kind, number.saturating_add(base(kind)))
            })
        };
        match sense.reason {
            Reason::SOURCE_EMPTY => {
                let (kind, number) = named(from);
                Refusal::EmptySource {
                    address: from,
                    kind,
                    number,
                }
            }
            Reason::DESTINATION_FULL => {
                let (kind, number) = named(destination);
                Refusal::FullDestination {
                    address: destination,
                    kind,
                    number,
                }
            }
            Reason::INVALID_ELEMENT_ADDRESS => Refusal::NotReachable {
                from,
                to,
                reason: sense.to_string(),
            },
            Reason::REMOVAL_PREVENTED_BY_DRIVE => {
                let is_drive = |at: &Address| self.layout.drives.number(*at).is_some();
                Refusal::InUse {
                    drive: [from, to, destination]
                        .into_iter()
                        .find(is_drive)
                        .unwrap_or(from),
                    by: "a program, or locked".to_owned(),
                }
            }
            Reason::REMOVAL_PREVENTED => Refusal::RemovalPrevented,
            Reason::INVALID_FIELD_IN_CDB if side == Side::Other => Refusal::NotInvertible,
            Reason::INVALID_OPERATION_CODE => Refusal::NotSupported { what: "do this" },
            _ => Refusal::Failed {
                reason: sense.to_string(),
            },
        }
    }

    /// Has the unit do what moves nothing.
    fn order(&mut self, command: &ChangerCommand) -> Result<(), Refusal> {
        let sent = self.send(command, 0);
        sent.map(drop).map_err(|trouble| match &trouble {
            Trouble::Sense(sense) if sense.key == SenseKey::IllegalRequest => match sense.reason {
                Reason::INVALID_OPERATION_CODE => Refusal::NotSupported { what: "do this" },
                _ => Refusal::Failed {
                    reason: sense.to_string(),
                },
            },
            _ => trouble.not_ready(),
        })
    }

    fn known(&self, address: Address) -> Result<ElementKind, Refusal> {
        let found = self.layout.find(address);
        found
            .map(|(kind, _)| kind)
            .ok_or(Refusal::NoSuchElement { address })
    }
}

fn element_type(kind: ElementKind) -> ElementType {
    match kind {
        ElementKind::Transport => ElementType::Transport,
        ElementKind::Storage => ElementType::Storage,
        ElementKind::ImportExport => ElementType::ImportExport,
        ElementKind::Drive => ElementType::DataTransfer,
    }
}

fn element(kind: ElementKind, told: &ElementDescriptor) -> Element {
    let medium = told.full.then(|| Medium {
        barcode: told
            .volume_tag
            .as_ref()
            .and_then(|tag| tag.trim().parse().ok()),
        source: told.source.map(Address),
        inverted: told.inverted,
    });
    let exception = told.exception.map(|reason| match reason {
        Reason::LOAD_OR_EJECT_FAILED => Exception::LoadFailed,
        Reason::LABEL_UNREADABLE => Exception::Unlabelled,
        _ => Exception::OutOfStep,
    });
    Element {
        medium,
        exception,
        // A real drive says that it can't be reached as long as its door is shut: a move opens it.
        accessible: told.access || kind == ElementKind::Drive,
        placed_by_operator: told.placed_by_operator,
        ..Element::empty(Address(told.address), kind)
    }
}

/// Vendor, product and serial number out of the name that a library tells of its drive.
fn drive_identity(id: &[u8]) -> Option<DriveIdentity> {
    const T10_ASCII: [u8; 2] = [0x02, 0x01];
    let kind = [id.first()? & 0x0f, id.get(1)? & 0x0f];
    let name = id.get(4..)?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    (kind == T10_ASCII && name.len() > 24).then(|| DriveIdentity {
        vendor: text(name.get(..8).unwrap_or_default()),
        product: text(name.get(8..24).unwrap_or_default()),
        serial: text(name.get(24..).unwrap_or_default()),
    })
}

impl<I: Initiator> Changer for SgChanger<I> {
    fn identity(&self) -> ChangerIdentity {
        self.identity.clone()
    }

    fn layout(&self) -> Layout {
        self.layout
    }

    fn drive_identity(&mut self, drive: Address) -> Result<Option<DriveIdentity>, Refusal> {
        match self.known(drive)? {
            ElementKind::Drive => {}
            kind => {
                return Err(Refusal::WrongKind {
                    address: drive,
                    kind,
                    why: "only a drive has an identity",
                });
            }
        }
        let found = self.read(ElementKind::Drive, (drive.0, drive.0), true)?;
        let id = found
            .first()
            .and_then(|element| element.device_id.as_deref());
        Ok(id.and_then(drive_identity))
    }

    fn inventory(&mut self, which: Selection) -> Result<Inventory, Refusal> {
        let layout = self.layout;
        let mut elements = Vec::new();
        for kind in layout.kinds() {
            let span = layout.span(kind).addresses();
            let mut asked = span.filter(|address| which.contains(kind, *address));
            let Some(first) = asked.next() else {
                continue;
            };
            let last = asked.last().unwrap_or(first);
            let found = self.read(kind, (first.0, last.0), false)?;
            elements.extend(found.iter().map(|told| element(kind, told)));
        }
        Ok(Inventory::new(elements))
    }

    fn transfer(&mut self, cartridge: Move) -> Result<(), Refusal> {
        let Move { from, to, side } = cartridge;
        self.known(from)?;
        self.known(to)?;
        let doubt = Doubt::before_move(self, cartridge)?;
        let command = ChangerCommand::Move(MoveMedium {
            transport: 0,
            source: from.0,
            destination: to.0,
            invert: side == Side::Other,
        });
        let sent = self.send(&command, 0);
        self.ended(doubt, sent, cartridge, to)
    }

    fn exchange(&mut self, exchange: Exchange) -> Result<(), Refusal> {
        let Exchange {
            source,
            first,
            second,
            first_side,
            second_side,
        } = exchange;
        for address in [source, first, second] {
            self.known(address)?;
        }
        let doubt = Doubt::before_exchange(self, exchange)?;
        let command = ChangerCommand::Exchange(ExchangeMedium {
            transport: 0,
            source: source.0,
            first_destination: first.0,
            second_destination: second.0,
            invert_first: first_side == Side::Other,
            invert_second: second_side == Side::Other,
        });
        let sent = self.send(&command, 0);
        let side = match second_side {
            Side::Other => second_side,
            Side::Same => first_side,
        };
        let cartridge = Move {
            from: source,
            to: first,
            side,
        };
        self.ended(doubt, sent, cartridge, second)
    }

    fn position(&mut self, before: Address) -> Result<(), Refusal> {
        self.known(before)?;
        self.order(&ChangerCommand::Position {
            transport: 0,
            destination: before.0,
            invert: false,
        })
    }

    fn initialize(&mut self, range: AddressRange) -> Result<(), Refusal> {
        let all = range == AddressRange::ALL;
        let range = (!all).then_some(ElementRange {
            start: range.first.0,
            count: range.count.unwrap_or(0),
        });
        self.order(&ChangerCommand::Initialize(range))
    }

    fn set_removal(&mut self, removal: Removal) -> Result<(), Refusal> {
        let prevented = removal == Removal::Prevented;
        let command = PrimaryCommand::PreventRemoval(prevented);
        self.order(&ChangerCommand::Primary(command))
    }
}
