//! What the control socket asks of any changer.

use pseudotape_changer::{
    Address, AddressRange, Changer, Element, ElementKind, Exception, Exchange, Move, Refusal,
    Removal, Selection, Side, Span,
};
use pseudotape_control::{
    ElementStatus, LibraryOrder, LibraryRefusal, LibraryStatus, Response, SpanStatus,
};
use pseudotape_scsi::refusal_sense;

/// Why an order was not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotDone {
    /// The changer refused.
    Refused(Refusal),
    /// Only the library itself can do it.
    NotHere(&'static str),
}

impl From<Refusal> for NotDone {
    fn from(refusal: Refusal) -> Self {
        NotDone::Refused(refusal)
    }
}

fn side(invert: bool) -> Side {
    match invert {
        true => Side::Other,
        false => Side::Same,
    }
}

/// Has the changer do it; says what was done.
pub fn obey(changer: &mut dyn Changer, order: &LibraryOrder) -> Result<String, NotDone> {
    match *order {
        LibraryOrder::Move { from, to, invert } => {
            changer.transfer(Move {
                from: Address(from),
                to: Address(to),
                side: side(invert),
            })?;
            Ok(format!("moved the cartridge of element {from} to {to}"))
        }
        LibraryOrder::Exchange {
            source,
            first,
            second,
            invert,
            invert2,
        } => {
            changer.exchange(Exchange {
                source: Address(source),
                first: Address(first),
                second: Address(second),
                first_side: side(invert),
                second_side: side(invert2),
            })?;
            Ok(format!(
                "moved the cartridges of element {source} to {first}, and of {first} to {second}"
            ))
        }
        LibraryOrder::Position { at } => {
            changer.position(Address(at))?;
            Ok(format!("the transport is at element {at}"))
        }
        LibraryOrder::Initialize => {
            changer.initialize(AddressRange::ALL)?;
            Ok("the inventory is known".to_owned())
        }
        LibraryOrder::Removal { prevented } => {
            let (removal, word) = match prevented {
                true => (Removal::Prevented, "prevented"),
                false => (Removal::Allowed, "allowed"),
            };
            changer.set_removal(removal)?;
            Ok(format!("removal is {word}"))
        }
        LibraryOrder::Put { .. } | LibraryOrder::Take { .. } => Err(NotDone::NotHere(
            "cartridges are put in and taken out at the library itself, by the control socket of its daemon",
        )),
    }
}

/// The answer to an order.
#[must_use]
pub fn answer(done: Result<String, NotDone>) -> Response {
    match done {
        Ok(message) => Response::Done { message },
        Err(NotDone::NotHere(why)) => Response::Error {
            message: why.to_owned(),
        },
        Err(NotDone::Refused(refusal)) => {
            let sense = refusal_sense(&refusal);
            Response::Refused(LibraryRefusal {
                message: refusal.to_string(),
                sense: [sense.key.bits(), sense.reason.code, sense.reason.qualifier],
            })
        }
    }
}

/// The state of a changer, as that of a library.
pub fn status(changer: &mut dyn Changer, name: &str) -> Result<LibraryStatus, Refusal> {
    let inventory = changer.inventory(Selection::ALL)?;
    let (identity, layout) = (changer.identity(), changer.layout());
    let elements = inventory.elements().iter();
    let told = elements
        .filter(|e| e.is_full() || e.kind == ElementKind::Drive || e.exception.is_some())
        .map(element);
    Ok(LibraryStatus {
        name: name.to_owned(),
        identity: [
            identity.vendor,
            identity.product,
            identity.revision,
            identity.serial,
        ],
        folder: Default::default(),
        nodes: Vec::new(),
        transports: span(layout.transports),
        slots: span(layout.slots),
        import_export: span(layout.import_export),
        drives: span(layout.drives),
        first_drive: 0,
        removal_prevented: false,
        barcodes: String::new(),
        capacity_bytes: None,
        elements: told.collect(),
    })
}

fn element(element: &Element) -> ElementStatus {
    let medium = element.medium;
    let exception = element.exception.map(|exception| match exception {
        Exception::LoadFailed => "not loaded",
        Exception::Unlabelled => "its label can't be read",
        Exception::OutOfStep => "out of step",
        _ => "not as it should be",
    });
    ElementStatus {
        at: element.address.0,
        full: element.is_full(),
        barcode: medium.and_then(|m| m.barcode).map(|b| b.to_string()),
        source: medium.and_then(|m| m.source).map(|at| at.0),
        by_operator: element.placed_by_operator,
        nodes: Vec::new(),
        open: element.in_use.then(|| "a program".to_owned()),
        locked: element.locked,
        exception: exception.map(str::to_owned),
    }
}

fn span(span: Span) -> SpanStatus {
    SpanStatus {
        first: span.first.0,
        count: span.count,
    }
}
