//! A media changer as SCSI sees it, over any `Changer`.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use pseudotape_changer::{
    Address, AddressRange, Changer, Element, ElementKind, Exchange, Layout, Move, Refusal, Removal,
    Selection, Side,
};

use crate::changer_command::{ChangerCommand, ElementType, ExchangeMedium, ReadElementStatus};
use crate::elements::{ElementDescriptor, element_status};
use crate::inquiry::{DeviceType, UnitIdentity, inquiry};
use crate::log::{LogPage, log_sense, tape_alert};
use crate::luns::report_luns;
use crate::mode::{
    ElementAddresses, ElementKinds, ModeHeader, Page, Span, capabilities, mode_sense,
    transport_geometry,
};
use crate::primary::PrimaryCommand;
use crate::refusal::{exception_reason, refusal_sense};
use crate::reply::Reply;
use crate::sense::{FieldPointer, Reason, Sense, SenseKey};

/// An initiator: who sends commands, and what reservations belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Nexus(pub u64);

/// A program of an initiator: each one hears the news of the unit for itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Program(pub u64);

/// What a changer's unit remembers between commands.
#[derive(Debug, Default)]
pub struct ChangerUnit {
    reserved_by: Option<Nexus>,
    prevented_by: BTreeSet<Nexus>,
    /// Every program that has come, and the news that it has not heard.
    attentions: BTreeMap<(Nexus, Program), VecDeque<Reason>>,
}

impl ChangerUnit {
    /// A unit that nobody has reserved.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A program comes: what happened before is no news to it.
    pub fn greet(&mut self, nexus: Nexus, program: Program) {
        self.attentions.entry((nexus, program)).or_default();
    }

    /// A program goes. What its initiator reserved and prevented stays.
    pub fn dismiss(&mut self, nexus: Nexus, program: Program) {
        self.attentions.remove(&(nexus, program));
    }

    /// Has every program that has come told of this, once, before its next command is done.
    pub fn tell_all(&mut self, news: Reason) {
        for told in self.attentions.values_mut() {
            if !told.contains(&news) {
                told.push_back(news);
            }
        }
    }

    /// An initiator is gone: what it reserved is free, what it prevented is allowed.
    pub fn forget(&mut self, nexus: Nexus, changer: &mut dyn Changer) -> Result<(), Refusal> {
        self.attentions.retain(|(of, _), _| *of != nexus);
        if self.reserved_by == Some(nexus) {
            self.reserved_by = None;
        }
        self.prevent(nexus, false, changer)
    }

    /// The unit is reset: nothing is reserved or prevented any more, and everyone hears of it.
    pub fn reset(&mut self, changer: &mut dyn Changer) -> Result<(), Refusal> {
        changer.set_removal(Removal::Allowed)?;
        self.reserved_by = None;
        self.prevented_by.clear();
        for told in self.attentions.values_mut() {
            // After a reset older news is no news.
            told.clear();
        }
        self.tell_all(Reason::POWER_ON_OR_RESET);
        Ok(())
    }

    /// Does one command of a program.
    pub fn execute(
        &mut self,
        nexus: Nexus,
        program: Program,
        cdb: &[u8],
        changer: &mut dyn Changer,
    ) -> Reply {
        let command = match ChangerCommand::decode(cdb) {
            Ok(command) => command,
            Err(error) => return Reply::check(error.sense()),
        };
        let news = self.attentions.entry((nexus, program)).or_default();
        if hears_news(&command)
            && let Some(reason) = news.pop_front()
        {
            return Reply::check(Sense::new(SenseKey::UnitAttention, reason));
        }
        let by_other = self.reserved_by.is_some_and(|holder| holder != nexus);
        if by_other && !passes_reservation(&command) {
            return Reply::conflict();
        }
        self.act(nexus, program, &command, changer)
            .unwrap_or_else(Reply::check)
    }

    fn act(
        &mut self,
        nexus: Nexus,
        program: Program,
        command: &ChangerCommand,
        changer: &mut dyn Changer,
    ) -> Result<Reply, Sense> {
        let layout = changer.layout();
        let done = match *command {
            ChangerCommand::Primary(primary) => {
                return self.primary(nexus, program, primary, changer);
            }
            ChangerCommand::ReadElementStatus(command) => {
                let data = read_elements(&command, changer)?;
                return Ok(Reply::data(data, command.allocation));
            }
            ChangerCommand::Initialize(range) => {
                let range = range.map_or(AddressRange::ALL, |range| AddressRange {
                    first: Address(range.start),
                    count: (range.count > 0).then_some(range.count),
                });
                changer.initialize(range)
            }
            ChangerCommand::Position {
                transport,
                destination,
                invert,
            } => {
                check_transport(&layout, transport)?;
                if invert {
                    return Err(Sense::invalid_field(FieldPointer::command_bit(8, 0)));
                }
                changer.position(Address(destination))
            }
            ChangerCommand::Move(medium) => {
                check_transport(&layout, medium.transport)?;
                changer.transfer(Move {
                    from: Address(medium.source),
                    to: Address(medium.destination),
                    side: side(medium.invert),
                })
            }
            ChangerCommand::Exchange(medium) => {
                check_transport(&layout, medium.transport)?;
                changer.exchange(exchange(medium))
            }
        };
        match done {
            Ok(()) => Ok(Reply::good()),
            Err(refusal) => Err(refusal_sense(&refusal)),
        }
    }

    fn primary(
        &mut self,
        nexus: Nexus,
        program: Program,
        command: PrimaryCommand,
        changer: &mut dyn Changer,
    ) -> Result<Reply, Sense> {
        match command {
            PrimaryCommand::TestUnitReady | PrimaryCommand::SelfTest => {
                ready(changer)?;
                Ok(Reply::good())
            }
            PrimaryCommand::RequestSense { format, allocation } => {
                let sense = self.pending(nexus, program, changer);
                Ok(Reply::data(sense.encode(format), allocation.into()))
            }
            PrimaryCommand::Inquiry { page, allocation } => {
                let data = inquiry(&unit(changer), page)?;
                Ok(Reply::data(data, allocation.into()))
            }
            PrimaryCommand::ModeSense(command) => {
                let pages = mode_pages(&changer.layout());
                let data = mode_sense(command, ModeHeader::default(), &pages)?;
                Ok(Reply::data(data, command.allocation.into()))
            }
            PrimaryCommand::LogSense(command) => {
                let data = log_sense(command, &log_pages())?;
                Ok(Reply::data(data, command.allocation.into()))
            }
            PrimaryCommand::ReportLuns { select, allocation } => {
                Ok(Reply::data(report_luns(select), allocation))
            }
            PrimaryCommand::Reserve(_) => {
                self.reserved_by = Some(nexus);
                Ok(Reply::good())
            }
            PrimaryCommand::Release(_) => {
                // Whoever has not reserved the unit releases nothing, and is told nothing (SPC-2 §7.28.2).
                if self.reserved_by == Some(nexus) {
                    self.reserved_by = None;
                }
                Ok(Reply::good())
            }
            PrimaryCommand::PreventRemoval(prevent) => {
                let done = self.prevent(nexus, prevent, changer);
                done.map_err(|refusal| refusal_sense(&refusal))?;
                Ok(Reply::good())
            }
        }
    }

    /// What REQUEST SENSE tells: the news first, then whether the changer is ready.
    fn pending(&mut self, nexus: Nexus, program: Program, changer: &mut dyn Changer) -> Sense {
        let news = self.attentions.entry((nexus, program)).or_default();
        match news.pop_front() {
            Some(reason) => Sense::new(SenseKey::UnitAttention, reason),
            None => ready(changer).err().unwrap_or(Sense::none()),
        }
    }

    fn prevent(
        &mut self,
        nexus: Nexus,
        prevent: bool,
        changer: &mut dyn Changer,
    ) -> Result<(), Refusal> {
        let was = !self.prevented_by.is_empty();
        let mut now = self.prevented_by.clone();
        match prevent {
            true => now.insert(nexus),
            false => now.remove(&nexus),
        };
        // A prevention outlives the unit in the library's state, and is lifted by whoever allows removal then.
        if was == now.is_empty() || (!prevent && now.is_empty()) {
            changer.set_removal(match now.is_empty() {
                true => Removal::Allowed,
                false => Removal::Prevented,
            })?;
        }
        self.prevented_by = now;
        Ok(())
    }
}

/// Commands that are done although there is news (SAM-5 §5.14).
fn hears_news(command: &ChangerCommand) -> bool {
    !matches!(
        command,
        ChangerCommand::Primary(
            PrimaryCommand::Inquiry { .. }
                | PrimaryCommand::ReportLuns { .. }
                | PrimaryCommand::RequestSense { .. }
        )
    )
}

/// Commands that are done although another initiator has reserved the unit (SPC-2 §5.5.1, SMC-3 table 3).
fn passes_reservation(command: &ChangerCommand) -> bool {
    match command {
        ChangerCommand::Primary(primary) => matches!(
            primary,
            PrimaryCommand::Inquiry { .. }
                | PrimaryCommand::ReportLuns { .. }
                | PrimaryCommand::RequestSense { .. }
                | PrimaryCommand::LogSense(_)
                | PrimaryCommand::Release(_)
                | PrimaryCommand::PreventRemoval(false)
        ),
        ChangerCommand::ReadElementStatus(command) => command.current_data,
        ChangerCommand::Initialize(_)
        | ChangerCommand::Move(_)
        | ChangerCommand::Exchange(_)
        | ChangerCommand::Position { .. } => false,
    }
}

fn ready(changer: &mut dyn Changer) -> Result<(), Sense> {
    // The transport is the one element that every changer has; to look at it moves nothing.
    match changer.inventory(Selection::of(ElementKind::Transport)) {
        Ok(_) => Ok(()),
        Err(refusal) => Err(refusal_sense(&refusal)),
    }
}

fn unit(changer: &dyn Changer) -> UnitIdentity {
    let identity = changer.identity();
    UnitIdentity {
        device_type: DeviceType::Changer,
        vendor: identity.vendor,
        product: identity.product,
        revision: identity.revision,
        serial: identity.serial,
        reads_barcodes: true,
    }
}

/// Zero names any transport.
fn check_transport(layout: &Layout, transport: u16) -> Result<(), Sense> {
    let known = layout.transports.number(Address(transport)).is_some();
    match transport == 0 || known {
        true => Ok(()),
        false => Err(Sense::illegal(Reason::INVALID_ELEMENT_ADDRESS)),
    }
}

fn side(invert: bool) -> Side {
    match invert {
        true => Side::Other,
        false => Side::Same,
    }
}

fn exchange(medium: ExchangeMedium) -> Exchange {
    Exchange {
        source: Address(medium.source),
        first: Address(medium.first_destination),
        second: Address(medium.second_destination),
        first_side: side(medium.invert_first),
        second_side: side(medium.invert_second),
    }
}

fn mode_pages(layout: &Layout) -> [Page; 3] {
    let span = |span: pseudotape_changer::Span| Span {
        first: span.first.0,
        count: span.count,
    };
    let addresses = ElementAddresses {
        transport: span(layout.transports),
        storage: span(layout.slots),
        import_export: span(layout.import_export),
        drives: span(layout.drives),
    };
    let kinds = ElementKinds {
        storage: layout.slots.count > 0,
        import_export: layout.import_export.count > 0,
        drives: layout.drives.count > 0,
    };
    let transports = layout.transports.addresses();
    [
        addresses.page(),
        transport_geometry(transports.map(|_| false)),
        capabilities(kinds, true),
    ]
}

fn log_pages() -> [LogPage; 1] {
    [tape_alert(&[])]
}

/// The kind of element that a type of SMC is.
fn kind_of(element_type: ElementType) -> ElementKind {
    match element_type {
        ElementType::Transport => ElementKind::Transport,
        ElementType::Storage => ElementKind::Storage,
        ElementType::ImportExport => ElementKind::ImportExport,
        ElementType::DataTransfer => ElementKind::Drive,
    }
}

fn type_of(kind: ElementKind) -> ElementType {
    match kind {
        ElementKind::Transport => ElementType::Transport,
        ElementKind::Storage => ElementType::Storage,
        ElementKind::ImportExport => ElementType::ImportExport,
        ElementKind::Drive => ElementType::DataTransfer,
    }
}

fn read_elements(command: &ReadElementStatus, changer: &mut dyn Changer) -> Result<Vec<u8>, Sense> {
    let sense = |refusal| refusal_sense(&refusal);
    let selection = Selection {
        kind: command.element_type.map(kind_of),
        range: AddressRange {
            first: Address(command.start),
            count: None,
        },
    };
    let inventory = changer.inventory(selection).map_err(sense)?;
    let wanted = inventory.elements().iter().take(command.count.into());
    let mut described = Vec::with_capacity(wanted.len());
    for element in wanted {
        let mut descriptor = describe(element);
        if command.device_ids && element.kind == ElementKind::Drive {
            descriptor.device_id = device_id(element.address, changer).map_err(sense)?;
        }
        described.push(descriptor);
    }
    Ok(element_status(command, &described))
}

fn device_id(drive: Address, changer: &mut dyn Changer) -> Result<Option<Vec<u8>>, Refusal> {
    let identity = changer.drive_identity(drive)?;
    Ok(identity.map(|identity| {
        let unit = UnitIdentity {
            device_type: DeviceType::Tape,
            vendor: identity.vendor,
            product: identity.product,
            revision: String::new(),
            serial: identity.serial,
            reads_barcodes: false,
        };
        unit.t10_designator()
    }))
}

fn describe(element: &Element) -> ElementDescriptor {
    let medium = element.medium.as_ref();
    let barcode = medium.and_then(|medium| medium.barcode);
    let import_export = element.kind == ElementKind::ImportExport;
    ElementDescriptor {
        full: element.is_full(),
        access: element.accessible,
        exception: element.exception.map(exception_reason),
        placed_by_operator: element.placed_by_operator,
        imports: import_export,
        exports: import_export,
        source: medium.and_then(|medium| medium.source).map(|a| a.0),
        inverted: medium.is_some_and(|medium| medium.inverted),
        volume_tag: barcode.map(|barcode| barcode.as_str().to_owned()),
        ..ElementDescriptor::new(type_of(element.kind), element.address.0)
    }
}

#[cfg(test)]
#[path = "changer_unit_test.rs"]
mod tests;
