//! Sets of legs, the numbers that they hand out, and one value for each leg of a set.

/// Most legs of a mirror: a set of them is a `u8`.
pub const MAX_LEGS: usize = 8;

/// The number of a leg. Only a set hands numbers out, and only the legs make sets: so a number names a leg that
/// was there when its set was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct LegNumber(u8);

impl LegNumber {
    /// The leg that was named first.
    pub(crate) const FIRST: LegNumber = LegNumber(0);

    /// As an index, always below [`MAX_LEGS`].
    pub(crate) fn index(self) -> usize {
        self.0.into()
    }

    fn bit(self) -> u8 {
        1 << self.0
    }
}

/// Up to eight legs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct LegSet(u8);

impl LegSet {
    pub(crate) const EMPTY: LegSet = LegSet(0);

    /// One leg alone.
    pub(crate) fn only(leg: LegNumber) -> Self {
        LegSet(leg.bit())
    }

    /// Those of the first `count` numbers that are wanted.
    pub(crate) fn choose(count: usize, wanted: impl Fn(LegNumber) -> bool) -> Self {
        let all = (0..MAX_LEGS as u8).take(count).map(LegNumber);
        all.filter(|leg| wanted(*leg))
            .fold(LegSet::EMPTY, LegSet::with)
    }

    pub(crate) fn with(self, leg: LegNumber) -> Self {
        LegSet(self.0 | leg.bit())
    }

    pub(crate) fn without(self, leg: LegNumber) -> Self {
        LegSet(self.0 & !leg.bit())
    }

    /// Those that are in one of both.
    pub(crate) fn or(self, other: LegSet) -> Self {
        LegSet(self.0 | other.0)
    }

    /// Those that are in both.
    pub(crate) fn and(self, other: LegSet) -> Self {
        LegSet(self.0 & other.0)
    }

    /// Those that are not in the other one.
    pub(crate) fn minus(self, other: LegSet) -> Self {
        LegSet(self.0 & !other.0)
    }

    /// Those of the set that are wanted.
    pub(crate) fn filter(self, wanted: impl Fn(LegNumber) -> bool) -> Self {
        let chosen = self.iter().filter(|leg| wanted(*leg));
        chosen.fold(LegSet::EMPTY, LegSet::with)
    }

    pub(crate) fn has(self, leg: LegNumber) -> bool {
        self.0 & leg.bit() != 0
    }

    pub(crate) fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(crate) fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    pub(crate) fn iter(self) -> impl Iterator<Item = LegNumber> {
        (0..MAX_LEGS as u8)
            .map(LegNumber)
            .filter(move |leg| self.has(*leg))
    }

    pub(crate) fn first(self) -> Option<LegNumber> {
        self.iter().next()
    }

    /// Each leg as a set of its own.
    pub(crate) fn one_by_one(self) -> impl Iterator<Item = LegSet> {
        self.iter().map(LegSet::only)
    }
}

/// One value for each leg of a set.
#[derive(Clone, Debug)]
pub(crate) struct PerLeg<T>([Option<T>; MAX_LEGS]);

impl<T> PerLeg<T> {
    /// From the values, by number.
    pub(crate) fn new(values: [Option<T>; MAX_LEGS]) -> Self {
        PerLeg(values)
    }

    /// These values, and those of the other one for legs that have none here.
    pub(crate) fn or(self, other: Self) -> Self {
        let mut others = other.0.into_iter();
        PerLeg(self.0.map(|value| value.or(others.next().flatten())))
    }

    /// The values with their legs.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (LegNumber, &T)> {
        let numbered = (0..).map(LegNumber).zip(&self.0);
        numbered.filter_map(|(leg, value)| Some((leg, value.as_ref()?)))
    }

    /// The values of those legs that are in a set.
    pub(crate) fn of(&self, set: LegSet) -> impl Iterator<Item = (LegNumber, &T)> {
        self.iter().filter(move |(leg, _)| set.has(*leg))
    }
}

impl<T> IntoIterator for PerLeg<T> {
    type Item = (LegNumber, T);
    type IntoIter = std::iter::FilterMap<
        std::iter::Zip<std::ops::Range<u8>, std::array::IntoIter<Option<T>, MAX_LEGS>>,
        fn((u8, Option<T>)) -> Option<(LegNumber, T)>,
    >;

    fn into_iter(self) -> Self::IntoIter {
        let numbered = (0..MAX_LEGS as u8).zip(self.0);
        numbered.filter_map(|(leg, value)| Some((LegNumber(leg), value?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(numbers: &[u8]) -> LegSet {
        LegSet::choose(MAX_LEGS, |leg| numbers.contains(&leg.0))
    }

    #[test]
    fn sets_are_combined_leg_by_leg() {
        let (odd, low) = (set(&[1, 3, 5, 7]), set(&[0, 1, 2, 3]));
        assert_eq!(odd.and(low), set(&[1, 3]));
        assert_eq!(odd.or(low), set(&[0, 1, 2, 3, 5, 7]));
        assert_eq!(odd.minus(low), set(&[5, 7]));
        assert_eq!(
            odd.with(LegNumber(0)).without(LegNumber(7)),
            set(&[0, 1, 3, 5])
        );
        assert_eq!((odd.len(), odd.first()), (4, Some(LegNumber(1))));
        assert!(odd.minus(odd).is_empty() && LegSet::EMPTY.first().is_none());
    }

    #[test]
    fn only_legs_that_are_there_are_chosen() {
        assert_eq!(LegSet::choose(3, |_| true), set(&[0, 1, 2]));
        assert_eq!(LegSet::choose(100, |_| true).len(), MAX_LEGS);
    }

    #[test]
    fn values_come_with_the_numbers_of_their_legs() {
        let mut values = [None; MAX_LEGS];
        (values[2], values[5]) = (Some('c'), Some('f'));
        let values = PerLeg::new(values);
        let found: Vec<_> = values.of(set(&[1, 5])).collect();
        assert_eq!(found, [(LegNumber(5), &'f')]);
        let all: Vec<_> = values.into_iter().collect();
        assert_eq!(all, [(LegNumber(2), 'c'), (LegNumber(5), 'f')]);
    }
}
