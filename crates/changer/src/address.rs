//! Where elements are.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The address of an element: what SCSI and the scripts of libraries call it by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Address(pub u16);

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What an element is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ElementKind {
    /// The hand that moves cartridges.
    Transport,
    /// A slot.
    Storage,
    /// A slot through which cartridges come in and go out.
    ImportExport,
    /// A drive.
    Drive,
}

impl ElementKind {
    /// All kinds, in the order of their type codes in SMC-3.
    pub const ALL: [ElementKind; 4] = [
        ElementKind::Transport,
        ElementKind::Storage,
        ElementKind::ImportExport,
        ElementKind::Drive,
    ];
}

impl fmt::Display for ElementKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ElementKind::Transport => "transport",
            ElementKind::Storage => "slot",
            ElementKind::ImportExport => "import/export slot",
            ElementKind::Drive => "drive",
        })
    }
}

/// The addresses of one kind of element: consecutive, from `first` on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Span {
    /// The lowest address.
    pub first: Address,
    /// How many there are.
    pub count: u16,
}

impl Span {
    /// The number of an element within its kind, counted from 0.
    #[must_use]
    pub fn number(&self, address: Address) -> Option<u16> {
        let number = address.0.checked_sub(self.first.0)?;
        (number < self.count).then_some(number)
    }

    /// The address of the element with this number, counted from 0.
    #[must_use]
    pub fn address(&self, number: u16) -> Option<Address> {
        let address = self.first.0.checked_add(number)?;
        (number < self.count).then_some(Address(address))
    }

    /// Every address, from the lowest on.
    pub fn addresses(&self) -> impl ExactSizeIterator<Item = Address> + use<> {
        let first = self.first.0;
        (0..self.count).map(move |number| Address(first.saturating_add(number)))
    }

    fn end(&self) -> u32 {
        u32::from(self.first.0) + u32::from(self.count)
    }
}

/// Consecutive addresses, which need not all be elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressRange {
    /// The lowest address.
    pub first: Address,
    /// How many addresses follow, `first` included; `None`: up to the last element.
    pub count: Option<u16>,
}

impl AddressRange {
    /// Every address.
    pub const ALL: AddressRange = AddressRange {
        first: Address(0),
        count: None,
    };

    /// Whether an address is in it.
    #[must_use]
    pub fn contains(&self, address: Address) -> bool {
        match address.0.checked_sub(self.first.0) {
            None => false,
            Some(number) => self.count.is_none_or(|count| number < count),
        }
    }
}

/// Which elements a changer has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Layout {
    /// Transports: one.
    pub transports: Span,
    /// Slots.
    pub slots: Span,
    /// Import/export slots.
    pub import_export: Span,
    /// Drives.
    pub drives: Span,
}

/// Why elements can't be laid out like this.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LayoutError {
    /// Nothing to load from, or into, or with.
    #[error("a library needs one {kind} at least")]
    None {
        /// What is missing.
        kind: ElementKind,
    },
    /// Two kinds want one address.
    #[error("{one} and {other} have an address in common: give them other first addresses")]
    Overlap {
        /// The one kind.
        one: ElementKind,
        /// The other one.
        other: ElementKind,
    },
    /// Addresses have two bytes.
    #[error("the last {kind} would have the address {address}, and 65535 is the highest")]
    TooHigh {
        /// The kind.
        kind: ElementKind,
        /// The address.
        address: u32,
    },
}

impl Layout {
    /// Of a changer of which nothing is known.
    pub const UNKNOWN: Layout = {
        let none = Span {
            first: Address(0),
            count: 0,
        };
        Layout {
            transports: none,
            slots: none,
            import_export: none,
            drives: none,
        }
    };

    /// One transport at 1, drives from 257 on, import/export slots from 769 on, slots from 1025 on: the numbers of the
    /// large IBM libraries. Kinds that are too many for their place push the next ones up.
    pub fn usual(drives: u16, import_export: u16, slots: u16) -> Result<Layout, LayoutError> {
        let mut end = 2;
        let mut span = |usual: u32, count: u16, kind| {
            let first = usual.max(end);
            end = first + u32::from(count);
            let first = u16::try_from(first).map_err(|_| LayoutError::TooHigh {
                kind,
                address: first,
            })?;
            Ok(Span {
                first: Address(first),
                count,
            })
        };
        let drives = span(257, drives, ElementKind::Drive)?;
        let import_export = span(769, import_export, ElementKind::ImportExport)?;
        let slots = span(1025, slots, ElementKind::Storage)?;
        let layout = Layout {
            transports: Span {
                first: Address(1),
                count: 1,
            },
            slots,
            import_export,
            drives,
        };
        layout.check()?;
        Ok(layout)
    }

    /// Whether every element has an address of its own, and there is something to load, and to load it into.
    pub fn check(&self) -> Result<(), LayoutError> {
        for kind in [
            ElementKind::Transport,
            ElementKind::Storage,
            ElementKind::Drive,
        ] {
            if self.span(kind).count == 0 {
                return Err(LayoutError::None { kind });
            }
        }
        for (at, one) in ElementKind::ALL.into_iter().enumerate() {
            let span = self.span(one);
            if span.end() > 0x1_0000 {
                let address = span.end() - 1;
                return Err(LayoutError::TooHigh { kind: one, address });
            }
            for other in ElementKind::ALL.into_iter().skip(at + 1) {
                let with = self.span(other);
                let apart =
                    span.end() <= u32::from(with.first.0) || with.end() <= u32::from(span.first.0);
                if !apart && span.count > 0 && with.count > 0 {
                    return Err(LayoutError::Overlap { one, other });
                }
            }
        }
        Ok(())
    }

    /// The addresses of a kind.
    #[must_use]
    pub fn span(&self, kind: ElementKind) -> Span {
        match kind {
            ElementKind::Transport => self.transports,
            ElementKind::Storage => self.slots,
            ElementKind::ImportExport => self.import_export,
            ElementKind::Drive => self.drives,
        }
    }

    /// What kind of element is at an address, and its number within the kind, counted from 0.
    #[must_use]
    pub fn find(&self, address: Address) -> Option<(ElementKind, u16)> {
        ElementKind::ALL
            .into_iter()
            .find_map(|kind| Some((kind, self.span(kind).number(address)?)))
    }

    /// The kinds in the order of their addresses.
    #[must_use]
    pub fn kinds(&self) -> [ElementKind; 4] {
        let mut kinds = ElementKind::ALL;
        kinds.sort_by_key(|kind| self.span(*kind).first);
        kinds
    }

    /// How many elements there are.
    #[must_use]
    pub fn count(&self) -> usize {
        ElementKind::ALL
            .into_iter()
            .map(|kind| usize::from(self.span(kind).count))
            .sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_layout_has_the_numbers_of_ibm_libraries() {
        let layout = Layout::usual(4, 8, 10_000).unwrap();
        assert_eq!(layout.find(Address(1)), Some((ElementKind::Transport, 0)));
        assert_eq!(layout.find(Address(260)), Some((ElementKind::Drive, 3)));
        assert_eq!(layout.find(Address(261)), None);
        assert_eq!(
            layout.find(Address(769)),
            Some((ElementKind::ImportExport, 0))
        );
        assert_eq!(
            layout.find(Address(11_024)),
            Some((ElementKind::Storage, 9999))
        );
        assert_eq!(layout.slots.address(9999), Some(Address(11_024)));
        assert_eq!(layout.slots.address(10_000), None);
        assert_eq!(layout.count(), 10_013);
    }

    #[test]
    fn more_than_usual_pushes_the_next_kind_up() {
        let layout = Layout::usual(600, 400, 5).unwrap();
        assert_eq!(layout.import_export.first, Address(857));
        assert_eq!(layout.slots.first, Address(1257));
        let too_many = Layout::usual(1, 0, 65_000).unwrap_err();
        assert!(matches!(
            too_many,
            LayoutError::TooHigh {
                address: 66_024,
                ..
            }
        ));
    }

    #[test]
    fn a_bad_layout_says_what_is_wrong() {
        let none = Layout::usual(0, 0, 5).unwrap_err().to_string();
        assert_eq!(none, "a library needs one drive at least");
        let mut layout = Layout::usual(2, 2, 5).unwrap();
        layout.slots.first = Address(255);
        let error = layout.check().unwrap_err();
        assert_eq!(
            error,
            LayoutError::Overlap {
                one: ElementKind::Storage,
                other: ElementKind::Drive
            }
        );
    }
}
