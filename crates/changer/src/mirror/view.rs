//! What the legs say, in the addresses of the mirror.

use super::MirrorChanger;
use super::act::{Content, agree};
use crate::address::{Address, ElementKind};
use crate::barcode::Barcode;
use crate::changer::Changer;
use crate::element::{Element, Exception, Inventory};
use crate::pairing::Place;
use crate::refusal::Refusal;

impl<C: Changer> MirrorChanger<C> {
    /// A leg's refusal with the addresses of the mirror.
    pub(super) fn translated(&self, leg: usize, library: usize, refusal: Refusal) -> Refusal {
        let name = &self.pairing.legs()[leg].name;
        let shown = |address| self.pairing.shown(leg, Place { library, address });
        let other = Refusal::Failed {
            reason: format!("{name}: {refusal}"),
        };
        let said = |reason: String| format!("{name}: {reason}");
        let translated = match refusal {
            Refusal::InUse { drive, by } => shown(drive).map(|drive| {
                let by = format!("{by} ({name})");
                Refusal::InUse { drive, by }
            }),
            Refusal::DoorLocked { drive } => {
                shown(drive).map(|drive| Refusal::DoorLocked { drive })
            }
            Refusal::LoadFailed {
                drive,
                cartridge,
                reason,
                now_in,
            } => shown(drive)
                .zip(shown(now_in))
                .map(|(drive, now_in)| Refusal::LoadFailed {
                    drive,
                    cartridge,
                    reason: said(reason),
                    now_in,
                }),
            Refusal::UnloadFailed {
                drive,
                reason,
                now_in,
            } => shown(drive)
                .zip(shown(now_in))
                .map(|(drive, now_in)| Refusal::UnloadFailed {
                    drive,
                    reason: said(reason),
                    now_in,
                }),
            Refusal::MediumError { address, reason } => {
                shown(address).map(|address| Refusal::MediumError {
                    address,
                    reason: said(reason),
                })
            }
            Refusal::Failed { reason } => Some(Refusal::Failed {
                reason: said(reason),
            }),
            Refusal::NotReady { reason } => Some(Refusal::NotReady {
                reason: said(reason),
            }),
            same @ (Refusal::NotInvertible | Refusal::RemovalPrevented) => Some(same),
            _ => None,
        };
        translated.unwrap_or(other)
    }

    /// One element out of what the legs say about it.
    pub(super) fn merged(
        &self,
        address: Address,
        kind: ElementKind,
        legs: &[Vec<Inventory>],
    ) -> Element {
        let mut merged = Element::empty(address, kind);
        let mut contents = Vec::with_capacity(legs.len());
        for (leg, inventories) in legs.iter().enumerate() {
            let Some(place) = self.pairing.place(leg, address) else {
                continue;
            };
            let Some(element) = inventories
                .get(place.library)
                .and_then(|i| i.at(place.address))
            else {
                // A leg that leaves out an element of its own layout does not agree about it.
                contents.push(Content::Unlabelled);
                merged.exception = Some(Exception::OutOfStep);
                continue;
            };
            contents.push(Content::of(element));
            if merged.medium.is_none_or(|medium| medium.barcode.is_none()) && element.is_full() {
                merged.medium = element.medium.map(|mut medium| {
                    let source = medium.source.map(|address| Place { address, ..place });
                    medium.source = source.and_then(|source| self.pairing.shown(leg, source));
                    medium
                });
            }
            merged.accessible &= element.accessible;
            merged.exception = merged.exception.or(element.exception);
            merged.placed_by_operator |= element.placed_by_operator;
            merged.in_use |= element.in_use;
            merged.locked |= element.locked;
        }
        if !agree(&contents) {
            merged.exception = Some(Exception::OutOfStep);
        }
        merged
    }

    /// The cartridges of the leg that is right which another leg has in none of the mirror's elements, with the names
    /// of those legs. No move brings them.
    pub fn lacking(&mut self, right: usize) -> Result<Vec<(Barcode, String)>, Refusal> {
        let wanted = self.contents(right)?;
        let mut lacking = Vec::new();
        for leg in (0..self.legs.len()).filter(|leg| *leg != right) {
            let has = self.contents(leg)?;
            for (_, content) in &wanted {
                let there = has.iter().any(|(_, other)| other == content);
                if let (Content::Labelled(barcode), false) = (content, there) {
                    lacking.push((*barcode, self.pairing.legs()[leg].name.clone()));
                }
            }
        }
        Ok(lacking)
    }

    /// The mirror's transport: a cartridge that is stuck in a leg's one is out of step.
    pub(super) fn transport(address: Address, legs: &[Vec<Inventory>]) -> Element {
        let mut merged = Element::empty(address, ElementKind::Transport);
        let hands = legs
            .iter()
            .flatten()
            .flat_map(|inventory| inventory.of(ElementKind::Transport));
        for hand in hands.filter(|hand| hand.is_full()) {
            merged.medium = hand.medium.map(|mut medium| {
                medium.source = None;
                medium
            });
            merged.exception = Some(Exception::OutOfStep);
        }
        merged
    }
}
