//! What a library says of itself.

use pseudotape_changer::{Changer as _, Element, ElementKind, Exception, Removal, Selection, Span};
use pseudotape_control::{ElementStatus, LibraryStatus, SpanStatus};
use pseudotape_human::counted;

use super::served::{Changer, ServedLibrary};

impl ServedLibrary {
    /// The state of the library.
    #[must_use]
    pub fn status(&self) -> LibraryStatus {
        let mut changer = self.changer();
        let identity = changer.identity();
        let layout = changer.layout();
        let inventory = changer.inventory(Selection::ALL).unwrap_or_default();
        let elements = inventory.elements().iter();
        let told = elements.filter(|e| e.is_full() || e.kind == ElementKind::Drive);
        let elements = told
            .map(|element| self.element(&mut changer, element))
            .collect();
        let library = changer.library();
        let design = library.design();
        LibraryStatus {
            name: design.name.clone(),
            identity: [
                identity.vendor,
                identity.product,
                identity.revision,
                identity.serial,
            ],
            folder: self.folder.clone(),
            nodes: Vec::new(),
            transports: span(layout.transports),
            slots: span(layout.slots),
            import_export: span(layout.import_export),
            drives: span(layout.drives),
            first_drive: self.first_drive,
            removal_prevented: library.removal() == Removal::Prevented,
            barcodes: design.barcodes.clone(),
            capacity_bytes: design.capacity_bytes,
            elements,
        }
    }

    /// What it has, for a person: one line.
    #[must_use]
    pub fn in_words(&self) -> String {
        let status = self.status();
        let full = status.elements.iter().filter(|element| element.full);
        format!(
            "drives {} to {}, {}, {}, {}",
            status.first_drive,
            status.first_drive + u32::from(status.drives.count.saturating_sub(1)),
            counted(status.slots.count.into(), "slot"),
            counted(full.count() as u64, "cartridge"),
            status.folder.display()
        )
    }

    fn element(&self, changer: &mut Changer, element: &Element) -> ElementStatus {
        let medium = element.medium;
        let barcode = medium.and_then(|medium| medium.barcode);
        let exception = element.exception.map(|exception| match exception {
            Exception::LoadFailed => {
                let why = changer.unloaded(element.address).unwrap_or("load failed");
                format!("not loaded: {why}")
            }
            Exception::Unlabelled => "its label can't be read".to_owned(),
            Exception::OutOfStep => "out of step".to_owned(),
            _ => "not as it should be".to_owned(),
        });
        let number = changer.layout().drives.number(element.address);
        ElementStatus {
            at: element.address.0,
            full: element.is_full(),
            barcode: barcode.map(|barcode| barcode.to_string()),
            source: medium.and_then(|medium| medium.source).map(|at| at.0),
            by_operator: element.placed_by_operator,
            nodes: Vec::new(),
            open: number.and_then(|number| changer.opened_by(number)),
            locked: element.locked,
            exception,
        }
    }
}

fn span(span: Span) -> SpanStatus {
    SpanStatus {
        first: span.first.0,
        count: span.count,
    }
}
