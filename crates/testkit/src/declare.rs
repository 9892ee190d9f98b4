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

/// Declares a test for each case that every [`Changer`](pseudotape_changer::Changer) passes. The argument makes the
/// changer of a case, as [`changer_suite`](mod@crate::changer_suite) describes it: `Fn() -> ChangerRig`.
#[macro_export]
macro_rules! changer_suite {
    (@cases $make:tt $($case:ident)*) => {
        $(#[test]
        fn $case() {
            $crate::changer_suite::$case(&$make);
        })*
    };
    ($make:expr) => {
        $crate::changer_suite! { @cases ($make)
            it_says_what_it_is
            the_inventory_has_each_element_of_the_layout_once
            a_selection_is_a_part_of_the_inventory
            drives_tell_what_they_are_and_other_elements_do_not
            a_load_and_an_unload_remember_the_slot
            the_import_export_slot_is_a_place_like_others
            a_move_to_where_it_is_does_nothing
            impossible_moves_are_refused_by_their_names
            a_cartridge_is_not_turned_over
            an_exchange_moves_both
            an_exchange_of_one_cartridge_is_a_move
            impossible_exchanges_are_refused_by_their_names
            a_drive_that_a_program_has_gives_nothing_and_takes_nothing
            a_locked_drive_gives_nothing_and_takes_nothing
            a_cartridge_that_does_not_load_is_back
            a_cartridge_that_does_not_come_out_stays
            a_drive_that_lost_its_cartridge_shows_it_and_can_be_emptied
            the_transport_goes_to_elements_only
            looking_changes_nothing_and_needs_an_element
            moves_go_on_while_removal_is_prevented
        }
        #[test]
        fn random_operations_do_what_the_model_says() {
            $crate::changer_model::random_operations_do_what_the_model_says(&$make);
        }
    };
}
