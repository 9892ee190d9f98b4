//! What mtx knows of a library: slots and drives by its own numbers.

use std::fmt::Write;

use pseudotape_control::{ElementStatus, LibraryStatus};

/// How mtx prints a barcode: as the field of SCSI in which it comes, with spaces up to the end.
const TAG_CHARACTERS: usize = 32;

/// A slot or an import/export slot. mtx numbers both together, import/export slots last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Slot {
    pub(super) address: u16,
    pub(super) full: bool,
    pub(super) import_export: bool,
    tag: Option<String>,
}

/// A drive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Drive {
    pub(super) address: u16,
    pub(super) full: bool,
    /// Index of the slot that its cartridge came from, or is thought to have come from.
    pub(super) source: Option<usize>,
    tag: Option<String>,
}

/// The library as it was when mtx asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct View {
    pub(super) slots: Vec<Slot>,
    pub(super) drives: Vec<Drive>,
    /// How many of the slots are no import/export slots.
    pub(super) storage_count: usize,
}

impl View {
    /// Takes what the daemon says.
    pub(super) fn new(status: &LibraryStatus) -> View {
        let mut slots = Vec::new();
        for (span, import_export) in [(status.slots, false), (status.import_export, true)] {
            slots.extend((0..span.count).map(|number| Slot {
                address: span.first.saturating_add(number),
                full: false,
                import_export,
                tag: None,
            }));
        }
        let drives = (0..status.drives.count).map(|number| Drive {
            address: status.drives.first.saturating_add(number),
            full: false,
            // An empty drive has no source. SCSI says so by 0, and mtx takes that for its first slot.
            source: Some(0),
            tag: None,
        });
        let mut view = View {
            storage_count: usize::from(status.slots.count),
            slots,
            drives: drives.collect(),
        };
        let mut sources = vec![None; view.drives.len()];
        for element in status.elements.iter().filter(|element| element.full) {
            view.fill(status, element, &mut sources);
        }
        view.find_sources(&sources);
        view
    }

    fn fill(
        &mut self,
        status: &LibraryStatus,
        element: &ElementStatus,
        sources: &mut [Option<u16>],
    ) {
        let tag = element.barcode.clone();
        if let Some(number) = status.drives.number(element.at) {
            let number = usize::from(number);
            if let Some(drive) = self.drives.get_mut(number) {
                (drive.full, drive.tag) = (true, tag);
                sources[number] = element.source;
            }
            return;
        }
        let storage = status.slots.number(element.at).map(usize::from);
        let import_export = || {
            let number = status.import_export.number(element.at)?;
            Some(self.storage_count + usize::from(number))
        };
        if let Some(slot) = storage.or_else(import_export)
            && let Some(slot) = self.slots.get_mut(slot)
        {
            (slot.full, slot.tag) = (true, tag);
        }
    }

    /// A source that is full again is none: such a drive gets one of the empty slots, in their order.
    fn find_sources(&mut self, sources: &[Option<u16>]) {
        let slots = &self.slots;
        let mut empty = (0..self.storage_count).filter(|slot| !slots[*slot].full);
        for (drive, source) in self.drives.iter_mut().zip(sources).filter(|(d, _)| d.full) {
            let known = source.and_then(|address| {
                let free = |slot: &Slot| slot.address == address && !slot.full;
                slots.iter().position(free)
            });
            drive.source = known;
        }
        for drive in &mut self.drives {
            if drive.source.is_none() {
                drive.source = empty.next();
            }
        }
    }

    /// What `mtx status` prints.
    pub(super) fn status(&self, device: &str, barcodes: bool) -> String {
        let tag = |tag: &Option<String>, word: &str| match tag {
            Some(tag) if barcodes => format!("{word}{tag:<TAG_CHARACTERS$}"),
            _ => String::new(),
        };
        let mut text = String::new();
        let import_export = self.slots.len() - self.storage_count;
        writeln!(
            text,
            "  Storage Changer {device}:{} Drives, {} Slots ( {import_export} Import/Export )",
            self.drives.len(),
            self.slots.len(),
        )
        .expect("a String takes everything");
        for (number, drive) in self.drives.iter().enumerate() {
            let what = match (drive.full, drive.source) {
                (false, _) => "Empty".to_owned(),
                (true, Some(slot)) => format!("Full (Storage Element {} Loaded)", slot + 1),
                (true, None) => "Full (Unknown Storage Element Loaded)".to_owned(),
            };
            let tag = tag(&drive.tag, ":VolumeTag = ");
            writeln!(text, "Data Transfer Element {number}:{what}{tag}")
                .expect("a String takes everything");
        }
        for (number, slot) in self.slots.iter().enumerate() {
            let kind = if slot.import_export {
                " IMPORT/EXPORT"
            } else {
                ""
            };
            let what = if slot.full { "Full " } else { "Empty" };
            let tag = tag(&slot.tag, ":VolumeTag=");
            writeln!(
                text,
                "      Storage Element {}{kind}:{what}{tag}",
                number + 1
            )
            .expect("a String takes everything");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pseudotape_control::SpanStatus;

    fn span(first: u16, count: u16) -> SpanStatus {
        SpanStatus { first, count }
    }

    fn element(at: u16, barcode: &str, source: Option<u16>) -> ElementStatus {
        ElementStatus {
            at,
            full: true,
            barcode: Some(barcode.into()),
            source,
            ..ElementStatus::default()
        }
    }

    fn library(elements: Vec<ElementStatus>) -> LibraryStatus {
        LibraryStatus {
            name: "vault".into(),
            identity: Default::default(),
            folder: "/srv".into(),
            nodes: Vec::new(),
            transports: span(1, 1),
            slots: span(1025, 3),
            import_export: span(769, 1),
            drives: span(257, 2),
            first_drive: 0,
            removal_prevented: false,
            barcodes: "PT####L5".into(),
            capacity_bytes: None,
            elements,
        }
    }

    /// As mtx 1.3.12 prints it: one space behind "Full", barcodes of 32 characters, import/export slots last.
    #[test]
    fn the_status_is_that_of_mtx() {
        let view = View::new(&library(vec![
            element(257, "PT0002L5", Some(1026)),
            element(769, "PT0009L5", None),
            element(1025, "PT0001L5", None),
        ]));
        assert_eq!(
            view.status("/dev/pmch0", true),
            "  Storage Changer /dev/pmch0:2 Drives, 4 Slots ( 1 Import/Export )\n\
             Data Transfer Element 0:Full (Storage Element 2 Loaded):VolumeTag = PT0002L5                        \n\
             Data Transfer Element 1:Empty\n      \
             Storage Element 1:Full :VolumeTag=PT0001L5                        \n      \
             Storage Element 2:Empty\n      \
             Storage Element 3:Empty\n      \
             Storage Element 4 IMPORT/EXPORT:Full :VolumeTag=PT0009L5                        \n"
        );
        let bare = view.status("x", false);
        assert!(!bare.contains("VolumeTag"), "{bare}");
        assert!(bare.contains("      Storage Element 1:Full \n"), "{bare}");
    }

    #[test]
    fn a_source_that_is_full_again_gives_way_to_the_first_empty_slot() {
        let view = View::new(&library(vec![
            element(257, "PT0002L5", Some(1025)),
            element(258, "PT0003L5", None),
            element(1025, "PT0001L5", None),
        ]));
        let sources: Vec<_> = view.drives.iter().map(|drive| drive.source).collect();
        assert_eq!(sources, [Some(1), Some(2)]);
        let full = View::new(&library(vec![
            element(257, "PT0002L5", Some(1025)),
            element(1025, "A", None),
            element(1026, "B", None),
            element(1027, "C", None),
        ]));
        assert_eq!(full.drives[0].source, None);
        let status = full.status("x", true);
        assert!(
            status.contains("0:Full (Unknown Storage Element Loaded):V"),
            "{status}"
        );
    }
}
