//! The legs of a mirror, by their numbers.

use std::ops::{Index, IndexMut};

use crate::leg::Leg;
use crate::set::{LegNumber, LegSet};

/// Up to [`MAX_LEGS`](crate::set::MAX_LEGS) legs.
#[derive(Default)]
pub(crate) struct Legs(Vec<Leg>);

impl Legs {
    pub(crate) fn new(legs: Vec<Leg>) -> Self {
        Legs(legs)
    }

    pub(crate) fn into_vec(self) -> Vec<Leg> {
        self.0
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Leg> {
        self.0.iter()
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Leg> {
        self.0.iter_mut()
    }

    /// The legs of a set.
    pub(crate) fn of(&self, set: LegSet) -> impl Iterator<Item = &Leg> {
        set.iter().filter_map(|number| self.0.get(number.index()))
    }

    /// The legs of a set, to change them.
    pub(crate) fn of_mut(&mut self, set: LegSet) -> impl Iterator<Item = &mut Leg> {
        let numbers = LegSet::choose(self.0.len(), |_| true);
        let numbered = numbers.iter().zip(&mut self.0);
        numbered.filter_map(move |(number, leg)| set.has(number).then_some(leg))
    }

    /// The numbers of those legs that are wanted.
    pub(crate) fn select(&self, wanted: impl Fn(&Leg) -> bool) -> LegSet {
        let leg = |number: LegNumber| self.0.get(number.index());
        LegSet::choose(self.0.len(), |number| leg(number).is_some_and(&wanted))
    }

    pub(crate) fn named(&self, name: &str) -> Option<LegNumber> {
        self.select(|leg| leg.name() == name).first()
    }

    /// The names of all, for a message.
    pub(crate) fn names(&self) -> String {
        let names: Vec<_> = self.0.iter().map(Leg::name).collect();
        names.join(", ")
    }

    /// The legs that are copies now.
    pub(crate) fn in_step(&self) -> LegSet {
        self.select(Leg::in_step)
    }

    /// The legs in step that have everything at once.
    pub(crate) fn prompt(&self) -> LegSet {
        self.select(|leg| leg.in_step() && !leg.is_late())
    }

    /// The late legs in step.
    pub(crate) fn late(&self) -> LegSet {
        self.select(|leg| leg.in_step() && leg.is_late())
    }

    /// The legs in step that keep what is written.
    pub(crate) fn keeping(&self) -> LegSet {
        self.select(|leg| leg.in_step() && leg.keeps_blocks())
    }

    /// The legs in step that perhaps hold more than the others.
    pub(crate) fn with_surplus(&self) -> LegSet {
        self.select(|leg| leg.in_step() && leg.end().surplus().is_some())
    }

    /// Those of a set that keep what is written; all of the set where none of them does.
    pub(crate) fn keeping_of(&self, set: LegSet) -> LegSet {
        let keeping = set.and(self.select(Leg::keeps_blocks));
        if keeping.is_empty() { set } else { keeping }
    }
}

impl Index<LegNumber> for Legs {
    type Output = Leg;

    fn index(&self, number: LegNumber) -> &Leg {
        &self.0[number.index()]
    }
}

impl IndexMut<LegNumber> for Legs {
    fn index_mut(&mut self, number: LegNumber) -> &mut Leg {
        &mut self.0[number.index()]
    }
}
