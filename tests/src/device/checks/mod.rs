//! What `DeviceDrive` owes on our own nodes, besides the suite.

mod blocks;
mod closes;
mod ends;
mod opens;

use pseudotape_drive::Personality;
use pseudotape_testkit::SuiteMedium;

use super::programs::Programs;
use super::served::{Front, Served};

/// One check.
#[derive(Clone, Copy, Debug)]
pub struct Check {
    /// Its name, a sentence.
    pub name: &'static str,
    /// Fails where the drive is wrong.
    pub run: fn(&Programs, Front) -> anyhow::Result<()>,
}

macro_rules! checks {
    ($($subject:ident { $($name:ident)* })*) => {
        /// Every check.
        pub const CHECKS: &[Check] = &[$($(Check {
            name: stringify!($name),
            run: $subject::$name,
        }),*),*];
    };
}

checks!(
    ends {
        early_warning_and_the_physical_end_are_exact
        fixed_blocks_are_counted_to_the_last_one_that_fits
        a_reset_loses_the_place_until_a_motion_finds_it
        a_killed_daemon_is_no_drive_and_loses_nothing
    }
    closes {
        a_killed_writer_leaves_no_filemark
        closing_adds_nothing_and_keeps_the_place
    }
    opens {
        another_medium_is_told_once
        an_empty_drive_is_opened_and_ready_when_loaded
        a_medium_put_in_later_is_told_once
        a_drive_opened_to_read_refuses_to_write
        a_protected_medium_is_opened
        what_is_no_free_tape_is_refused_with_a_way_out
        the_block_size_of_the_node_is_left_as_it_was
    }
    blocks {
        blocks_longer_than_the_buffer_have_their_length
        limits_are_those_of_the_drive
        setmarks_are_told_from_filemarks
    }
);

/// A tape of no special kind.
fn generic(programs: &Programs, front: Front) -> anyhow::Result<Served> {
    Served::start(
        programs,
        front,
        Personality::default(),
        SuiteMedium::default(),
    )
}
