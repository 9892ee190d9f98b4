//! The suite as tests of a crate, and as a table.

use crate::suite::{self, Make};

/// Declares one test for each case of the suite, for the drives that the function makes.
///
/// `drive_suite!(@list [path::of::a::macro] words...)` calls that macro with the words and the names of all
/// cases, for who needs them otherwise.
#[macro_export]
macro_rules! drive_suite {
    (@list [$($to:tt)*] $($given:tt)*) => {
        $($to)*! { $($given)*
            blocks_come_back_with_their_lengths
            a_longer_block_is_cut_and_skipped
            marks_stop_reads_and_end_of_data_stays
            fixed_blocks_stop_at_marks_and_other_lengths
            writing_in_the_middle_drops_what_follows
            spacing_over_blocks_stops_at_marks
            spacing_over_filemarks_goes_to_their_far_side
            locate_goes_to_objects_and_not_past_the_end
            early_warning_comes_before_the_physical_end
            fixed_writes_stop_at_the_physical_end
            blocks_outside_the_limits_are_refused
            only_the_block_just_written_can_be_extended
            a_protected_medium_is_only_read
            a_worm_medium_is_only_appended_to
            an_unloaded_drive_says_no_medium_until_loaded
            erase_drops_what_follows
            partitions_keep_their_own_objects
            the_mode_keeps_what_was_set
            capacity_counts_bytes_of_blocks_and_marks
            what_a_drive_recovered_is_told_once
        }
    };
    (@cases $make:tt $($case:ident)*) => {
        $(#[test]
        fn $case() {
            $crate::suite::$case(&$make);
        })*
    };
    ($make:expr) => {
        $crate::drive_suite!(@list [$crate::drive_suite] @cases ($make));
    };
}

/// A case of the suite.
#[derive(Clone, Copy, Debug)]
pub struct SuiteCase {
    /// Its name, a sentence.
    pub name: &'static str,
    /// Panics where the drive is wrong.
    pub run: fn(Make<'_>),
}

macro_rules! case_table {
    ($($case:ident)*) => {
        /// Every case of the suite.
        pub const SUITE: &[SuiteCase] = &[$(SuiteCase {
            name: stringify!($case),
            run: suite::$case,
        }),*];
    };
}

drive_suite!(@list [case_table]);
