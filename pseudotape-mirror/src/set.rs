//! A set of legs, by their numbers.

/// Up to eight legs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct LegSet(pub(crate) u8);

impl LegSet {
    pub(crate) fn with(self, leg: usize) -> Self {
        LegSet(self.0 | 1 << leg)
    }

    pub(crate) fn without(self, leg: usize) -> Self {
        LegSet(self.0 & !(1 << leg))
    }

    pub(crate) fn has(self, leg: usize) -> bool {
        self.0 & (1 << leg) != 0
    }

    pub(crate) fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(crate) fn iter(self) -> impl Iterator<Item = usize> {
        (0..8).filter(move |leg| self.has(*leg))
    }

    pub(crate) fn first(self) -> Option<usize> {
        self.iter().next()
    }
}
