//! Random legs, and the one drive that a mirror of them has to be like.

use std::time::Duration;

use proptest::prelude::*;
use pseudotape_drive::{ErasePolicy, Personality};
use pseudotape_mirror::{MirrorDrive, MirrorOptions, When};
use pseudotape_tape::{BlockLimits, Drive};
use pseudotape_testkit::{ModelCartridge, ModelDrive, SuiteMedium};

use super::{Faults, Watched, image, model};

#[derive(Clone, Debug)]
pub struct LegPlan {
    /// An image in memory, and no model.
    pub is_image: bool,
    pub capacity_bytes: u64,
    pub early_warning_bytes: u64,
    pub limits: (u32, u32),
    pub when: When,
    /// It does not say how much fits.
    pub mute: bool,
    pub delay: Duration,
}

#[derive(Clone, Debug)]
pub struct Legs {
    pub personality: Personality,
    pub has_capacity: bool,
    pub worm: bool,
    pub queue_bytes: u64,
    pub legs: Vec<LegPlan>,
}

fn leg() -> impl Strategy<Value = LegPlan> {
    let when = prop_oneof![
        4 => Just(When::Sync),
        1 => Just(When::Unload),
        1 => Just(When::Deferred)
    ];
    (
        any::<bool>(),
        20_000..120_000_u64,
        0..20_000_u64,
        (1..20_u32, 4000..100_000_u32),
        when,
        prop::bool::weighted(0.2),
        prop_oneof![3 => Just(0), 1 => 1..300_u64],
    )
        .prop_map(
            |(is_image, capacity_bytes, early_warning_bytes, limits, when, mute, micros)| LegPlan {
                is_image,
                capacity_bytes,
                early_warning_bytes,
                limits,
                when,
                mute,
                delay: Duration::from_micros(micros),
            },
        )
}

/// One to eight legs, whose ends can be foreseen.
pub fn legs() -> impl Strategy<Value = Legs> {
    (
        prop::sample::select(Personality::ALL),
        prop::bool::weighted(0.1),
        200..60_000_u64,
        prop::collection::vec(leg(), 1..9),
    )
        .prop_map(|(personality, worm, queue_bytes, mut legs)| {
            // One that can be read at once.
            legs[0].when = When::Sync;
            for leg in &mut legs {
                // What is full without notice has others take back what they took: not all can.
                let takes_back = !worm && personality.erase == ErasePolicy::Anywhere;
                leg.mute &= leg.when == When::Sync && takes_back;
            }
            Legs {
                personality,
                has_capacity: true,
                worm,
                queue_bytes,
                legs,
            }
        })
}

impl Legs {
    fn personality_with(&self, limits: (u32, u32)) -> Personality {
        let own = self.personality.limits;
        Personality {
            limits: BlockLimits {
                min_bytes: own.min_bytes.max(limits.0),
                max_bytes: own.max_bytes.min(limits.1),
                ..own
            },
            ..self.personality
        }
    }

    pub fn limits(&self) -> BlockLimits {
        self.nearest_ends().block_limits()
    }

    /// The drives of the legs, to look at.
    pub fn watched(&self) -> Vec<Watched> {
        let watched = self.legs.iter().map(|leg| {
            let medium = SuiteMedium {
                capacity_bytes: self.has_capacity.then_some(leg.capacity_bytes),
                early_warning_bytes: leg.early_warning_bytes,
                worm: self.worm,
                ..SuiteMedium::default()
            };
            let personality = self.personality_with(leg.limits);
            let watched = if leg.is_image {
                Watched::new(image(personality, medium))
            } else {
                Watched::new(model(personality, medium))
            };
            watched.with(Faults {
                mute: leg.mute,
                delay: leg.delay,
                ..Faults::default()
            })
        });
        watched.collect()
    }

    /// A mirror of these drives.
    pub fn mirror(&self, watched: &[Watched]) -> Result<MirrorDrive, String> {
        let mut mirror = MirrorDrive::new(MirrorOptions {
            queue_bytes: self.queue_bytes,
            ..MirrorOptions::default()
        });
        let new = watched.iter().zip(&self.legs).enumerate();
        let new = new.map(|(number, (leg, plan))| {
            let mut leg = leg.late(&format!("l{number}"), plan.when);
            let is_blind = plan.mute || !self.has_capacity;
            leg.options.reserve_bytes = is_blind.then_some(plan.early_warning_bytes);
            leg
        });
        mirror
            .insert(new.collect())
            .map_err(|error| error.to_string())?;
        assert!(mirror.test_ready().is_err(), "the attention of new volumes");
        Ok(mirror)
    }

    /// What the mirror has to be like.
    pub fn nearest_ends(&self) -> ModelDrive {
        let legs = &self.legs;
        let limits = (
            legs.iter().map(|leg| leg.limits.0).max().expect("a leg"),
            legs.iter().map(|leg| leg.limits.1).min().expect("a leg"),
        );
        let total = legs.iter().map(|leg| leg.capacity_bytes).min();
        let total = total.expect("a leg");
        let warns = legs
            .iter()
            .map(|leg| leg.capacity_bytes.saturating_sub(leg.early_warning_bytes));
        let warns = warns.min().expect("a leg");
        let mut drive = ModelDrive::new(self.personality_with(limits));
        drive.insert(ModelCartridge {
            capacity_bytes: self.has_capacity.then_some(total),
            early_warning_bytes: total.saturating_sub(warns),
            worm: self.worm,
            ..ModelCartridge::default()
        });
        drive.clear_attention();
        drive
    }
}

/// Takes the legs out of a mirror, whose legs must all be in step, and waits until they are closed.
pub fn finish(mut mirror: MirrorDrive) -> Result<(), String> {
    for (options, board) in mirror.legs() {
        if board.state() != pseudotape_mirror::LegState::InStep {
            return Err(format!("leg {}: {:?}", options.name, board.state()));
        }
    }
    mirror
        .eject()
        .into_iter()
        .try_for_each(|(options, board, leg)| {
            leg.finish().map_err(|failure| failure.to_string())?;
            match board.state() {
                pseudotape_mirror::LegState::InStep => Ok(()),
                state => Err(format!("leg {}: {state:?}", options.name)),
            }
        })
}
