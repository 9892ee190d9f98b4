//! READ, WRITE, VERIFY, marks and motions of a tape drive: each news, each refusal, each residual.
#![allow(
    clippy::big_endian_bytes,
    reason = "SCSI has the most significant byte first"
)]

mod common;

use common::{END, FILEMARK, LENGTH, NEITHER, Rig, plain, stop, told};
use pseudotape_testkit::{ModelCartridge, ModelObject, block_of};

fn read6(flags: u8, length: u32) -> [u8; 6] {
    let [_, a, b, c] = length.to_be_bytes();
    [0x08, flags, a, b, c, 0]
}

fn write6(flags: u8, length: u32) -> [u8; 6] {
    let [_, a, b, c] = length.to_be_bytes();
    [0x0a, flags, a, b, c, 0]
}

/// A command of 16 bytes that names a place.
fn at16(code: u8, flags: u8, partition: u8, object: u64, length: u32) -> [u8; 16] {
    let mut cdb = [0; 16];
    cdb[..4].copy_from_slice(&[code, flags, 0, partition]);
    cdb[4..12].copy_from_slice(&object.to_be_bytes());
    cdb[12..15].copy_from_slice(&length.to_be_bytes()[1..]);
    cdb
}

fn space6(code: u8, count: i32) -> [u8; 6] {
    let [_, a, b, c] = count.to_be_bytes();
    [0x11, code, a, b, c, 0]
}

const REWIND: [u8; 6] = [1, 0, 0, 0, 0, 0];

/// Blocks of 100, 200 and 300 bytes, a filemark, a block of 50 bytes; at the beginning.
fn recorded() -> Rig {
    let mut rig = Rig::new("generic");
    for length in [100_u32, 200, 300] {
        rig.takes(
            &write6(0, length),
            &block_of(length.into(), length as usize),
        );
    }
    rig.does(&[0x10, 0, 0, 0, 1, 0]);
    rig.takes(&write6(0, 50), &[7; 50]);
    rig.does(&REWIND);
    rig
}

#[test]
fn a_block_is_read_as_it_was_written() {
    let mut rig = recorded();
    let mut data = [0; 300];
    let reply = rig.run(&read6(0, 100), &mut data);
    assert_eq!((told(&reply), reply.transferred), (None, 100));
    assert_eq!(data[..100], block_of(100, 100));
    assert_eq!(rig.object(), 1);
}

#[test]
fn a_shorter_block_is_news_with_the_difference() {
    let mut rig = recorded();
    let mut data = [0; 300];
    let reply = rig.run(&read6(0, 300), &mut data);
    assert_eq!(told(&reply), Some(stop(0, (0, 0), LENGTH, 200)));
    assert_eq!(reply.transferred, 100);
    assert_eq!(data[..100], block_of(100, 100));
    assert_eq!(data[100..], [0; 200]);
}

#[test]
fn a_longer_block_is_news_with_a_negative_difference_and_its_head_is_read() {
    let mut rig = recorded();
    let mut data = [0; 30];
    let reply = rig.run(&read6(0, 30), &mut data);
    assert_eq!(told(&reply), Some(stop(0, (0, 0), LENGTH, -70)));
    assert_eq!(
        (reply.transferred, &data[..]),
        (30, &block_of(100, 100)[..30])
    );
    assert_eq!(rig.object(), 1, "behind the block");
}

#[test]
fn with_sili_another_length_is_no_news() {
    let mut rig = recorded();
    let mut data = [0; 300];
    let reply = rig.run(&read6(2, 300), &mut data);
    assert_eq!((told(&reply), reply.transferred), (None, 100));
    let reply = rig.run(&read6(2, 20), &mut data[..20]);
    assert_eq!((told(&reply), reply.transferred), (None, 20));
    // Where the mode has a block length, a longer block is news all the same.
    let mut rig = recorded();
    rig.takes(
        &[0x15, 0, 0, 0, 12, 0],
        &[0, 0, 0x10, 8, 0x58, 0, 0, 0, 0, 0, 0, 100],
    );
    let reply = rig.run(&read6(2, 20), &mut data[..20]);
    assert_eq!(told(&reply), Some(stop(0, (0, 0), LENGTH, -80)));
    let reply = rig.run(&read6(2, 300), &mut data);
    assert_eq!((told(&reply), reply.transferred), (None, 200));
}

#[test]
fn a_filemark_and_the_end_of_data_stop_a_read() {
    let mut rig = recorded();
    let mut data = [0; 64];
    rig.does(&space6(0, 3));
    let reply = rig.run(&read6(0, 64), &mut data);
    assert_eq!(told(&reply), Some(stop(0, (0, 1), FILEMARK, 64)));
    assert_eq!((reply.transferred, rig.object()), (0, 4));
    rig.does(&space6(3, 0));
    let reply = rig.run(&read6(0, 64), &mut data);
    assert_eq!(told(&reply), Some(stop(8, (0, 5), NEITHER, 64)));
    assert_eq!(rig.object(), 5);
}

fn fixed(size: u8) -> Rig {
    let mut rig = Rig::new("generic");
    rig.takes(
        &[0x15, 0, 0, 0, 12, 0],
        &[0, 0, 0x10, 8, 0x58, 0, 0, 0, 0, 0, 0, size],
    );
    rig
}

#[test]
fn fixed_blocks_are_counted_in_blocks() {
    let mut rig = fixed(10);
    let data = block_of(1, 50);
    rig.takes(&write6(1, 5), &data);
    assert_eq!(rig.object(), 5);
    rig.does(&[0x10, 0, 0, 0, 1, 0]);
    rig.does(&REWIND);
    let mut read = [0; 100];
    let reply = rig.run(&read6(1, 3), &mut read);
    assert_eq!((told(&reply), reply.transferred), (None, 30));
    let reply = rig.run(&read6(1, 7), &mut read);
    assert_eq!(told(&reply), Some(stop(0, (0, 1), FILEMARK, 5)));
    assert_eq!((reply.transferred, &read[..20]), (20, &data[30..]));
    let reply = rig.run(&read6(1, 7), &mut read);
    assert_eq!(told(&reply), Some(stop(8, (0, 5), NEITHER, 7)));
}

#[test]
fn a_fixed_read_stops_behind_a_block_of_another_length() {
    let mut rig = fixed(10);
    rig.takes(&write6(1, 2), &[1; 20]);
    rig.takes(&write6(0, 11), &[2; 11]);
    rig.takes(&write6(1, 1), &[3; 10]);
    rig.does(&REWIND);
    let mut read = [0; 40];
    let reply = rig.run(&read6(1, 4), &mut read);
    assert_eq!(told(&reply), Some(stop(0, (0, 0), LENGTH, 2)));
    assert_eq!((reply.transferred, rig.object()), (20, 3));
}

#[test]
fn transfers_that_cannot_be_are_refused_at_their_field() {
    let mut rig = recorded();
    // FIXED in variable block mode; SILI with FIXED.
    rig.refuses_field(&read6(1, 1), 1);
    rig.refuses_field(&write6(1, 1), 1);
    rig.refuses_field(&read6(3, 1), 1);
    // NACA.
    rig.refuses_field(&[0x08, 0, 0, 0, 1, 4], 5);
    // A block that the drive does not take.
    let mut rig = Rig::new("scsi_debug");
    let told = rig.tells(&write6(0, 100), &mut [0; 100]);
    assert_eq!(told, plain(5, (0x24, 0)));
    assert_eq!(rig.object(), 0);
}

#[test]
fn a_command_that_asks_for_more_than_its_memory_moves_nothing() {
    let mut rig = recorded();
    for cdb in [read6(0, 100), write6(0, 100)] {
        assert_eq!(rig.tells(&cdb, &mut [0; 99]), plain(0xb, (0x4b, 0)));
        assert_eq!(rig.object(), 0);
    }
    let verify = [0x13, 2, 0, 0, 100, 0];
    assert_eq!(rig.tells(&verify, &mut [0; 99]), plain(0xb, (0x4b, 0)));
    let select = [0x15, 0x10, 0, 0, 12, 0];
    assert_eq!(rig.tells(&select, &mut [0; 11]), plain(0xb, (0x4b, 0)));
}

#[test]
fn nothing_is_moved_by_a_count_of_zero() {
    let mut rig = recorded();
    for cdb in [
        read6(0, 0),
        write6(0, 0),
        space6(0, 0),
        space6(1, 0),
        [0x13, 0, 0, 0, 0, 0],
    ] {
        rig.does(&cdb);
        assert_eq!(rig.object(), 0);
    }
    rig.does(&[0x10, 0, 0, 0, 0, 0]);
    rig.does(&space6(3, 0));
    assert_eq!(rig.object(), 5, "nothing was cut off");
}

#[test]
fn records_in_several_pieces_are_one_record() {
    let mut rig = Rig::new("generic");
    let (mut a, mut b, mut c) = (block_of(1, 7), block_of(2, 0), block_of(3, 13));
    let whole = [&a[..], &c[..]].concat();
    let mut pieces: [&mut [u8]; 3] = [&mut a, &mut b, &mut c];
    let reply = rig
        .unit
        .execute(common::ME, &write6(0, 20), &mut pieces, &mut rig.drive);
    assert_eq!((told(&reply), reply.transferred), (None, 20));
    rig.does(&REWIND);
    let (mut d, mut e) = ([0; 4], [0; 30]);
    let mut pieces: [&mut [u8]; 2] = [&mut d, &mut e];
    let reply = rig
        .unit
        .execute(common::ME, &read6(0, 25), &mut pieces, &mut rig.drive);
    assert_eq!(told(&reply), Some(stop(0, (0, 0), LENGTH, 5)));
    assert_eq!(reply.transferred, 20);
    assert_eq!([&d[..], &e[..16]].concat(), whole);
    assert_eq!(e[16..], [0; 14]);
}

fn small(mark_fits: bool) -> Rig {
    let personality = if mark_fits { "generic" } else { "scsi_debug" };
    let cartridge = ModelCartridge {
        capacity_bytes: Some(10_240),
        early_warning_bytes: 4096,
        ..ModelCartridge::default()
    };
    Rig::with(personality, cartridge)
}

#[test]
fn early_warning_is_news_without_a_residual_and_the_end_has_all_of_it() {
    let mut rig = small(false);
    for _ in 0..5 {
        rig.takes(&write6(0, 1024), &[1; 1024]);
    }
    for _ in 0..4 {
        let mut data = [1; 1024];
        let reply = rig.run(&write6(0, 1024), &mut data);
        assert_eq!(told(&reply), Some(stop(0, (0, 2), END, 0)));
        assert_eq!(reply.transferred, 1024);
    }
    rig.tells(&write6(0, 1000), &mut [1; 1000]);
    let mut data = [1; 1024];
    let reply = rig.run(&write6(0, 1024), &mut data);
    assert_eq!(told(&reply), Some(stop(0xd, (0, 2), END, 1024)));
    assert_eq!((reply.transferred, rig.object()), (0, 10));
    // Marks: as many as fit.
    let told = rig.tells(&[0x10, 0, 0, 0, 40, 0], &mut []);
    assert_eq!(told, stop(0xd, (0, 2), END, 16));
}

#[test]
fn fixed_blocks_that_fit_are_written_at_the_end() {
    let mut rig = small(true);
    let select = [0x15, 0, 0, 0, 12, 0];
    rig.takes(&select, &[0, 0, 0x10, 8, 0x58, 0, 0, 0, 0, 0, 4, 0]);
    let mut data = [1; 12 * 1024];
    let reply = rig.run(&write6(1, 12), &mut data);
    assert_eq!(told(&reply), Some(stop(0xd, (0, 2), END, 2)));
    assert_eq!((reply.transferred, rig.object()), (10 * 1024, 10));
    let mark = rig.tells(&[0x10, 0, 0, 0, 1, 0], &mut []);
    assert_eq!(mark, stop(0, (0, 2), END, 0));
}

#[test]
fn what_is_protected_is_not_written() {
    let protected = ModelCartridge {
        write_protected: true,
        ..ModelCartridge::default()
    };
    let mut rig = Rig::with("generic", protected);
    let refused = plain(7, (0x27, 0));
    assert_eq!(rig.tells(&write6(0, 5), &mut [0; 5]), refused);
    for cdb in [
        [0x10, 0, 0, 0, 1, 0],
        [0x19, 1, 0, 0, 0, 0],
        [4, 0, 0, 0, 0, 0],
    ] {
        assert_eq!(rig.tells(&cdb, &mut []), refused, "{cdb:02x?}");
    }
    let worm = ModelCartridge {
        partitions: vec![vec![ModelObject::Filemark]],
        worm: true,
        ..ModelCartridge::default()
    };
    let mut rig = Rig::with("generic", worm);
    assert_eq!(rig.tells(&write6(0, 5), &mut [0; 5]), plain(7, (0x30, 0xc)));
    rig.does(&space6(3, 0));
    rig.takes(&write6(0, 5), &[0; 5]);
}

#[test]
fn a_damaged_block_is_a_medium_error_with_what_was_not_read() {
    let cartridge = ModelCartridge {
        partitions: vec![vec![
            ModelObject::Block(vec![5; 10]),
            ModelObject::Damaged(10),
            ModelObject::Block(vec![6; 10]),
        ]],
        ..ModelCartridge::default()
    };
    let mut rig = Rig::with("generic", cartridge);
    rig.takes(
        &[0x15, 0, 0, 0, 12, 0],
        &[0, 0, 0x10, 8, 0x58, 0, 0, 0, 0, 0, 0, 10],
    );
    let mut data = [0; 30];
    let reply = rig.run(&read6(1, 3), &mut data);
    assert_eq!(told(&reply), Some(stop(3, (0x11, 0), NEITHER, 2)));
    assert_eq!((reply.transferred, &data[..10]), (10, &[5; 10][..]));
    assert_eq!(rig.object(), 2, "behind the damage");
    rig.does(&space6(0, -1));
    let reply = rig.run(&read6(0, 30), &mut data);
    assert_eq!(told(&reply), Some(stop(3, (0x11, 0), NEITHER, 30)));
    assert_eq!(reply.transferred, 0);
}

#[test]
fn spacing_tells_what_stopped_it_and_how_much_is_left() {
    let mut rig = recorded();
    assert_eq!(
        rig.tells(&space6(0, 5), &mut []),
        stop(0, (0, 1), FILEMARK, 2)
    );
    assert_eq!(rig.object(), 4);
    assert_eq!(
        rig.tells(&space6(0, 5), &mut []),
        stop(8, (0, 5), NEITHER, 4)
    );
    assert_eq!(rig.object(), 5);
    assert_eq!(
        rig.tells(&space6(0, -5), &mut []),
        stop(0, (0, 1), FILEMARK, 4)
    );
    assert_eq!(rig.object(), 3);
    assert_eq!(rig.tells(&space6(0, -5), &mut []), stop(0, (0, 4), END, 2));
    assert_eq!(rig.object(), 0);
    rig.does(&space6(1, 1));
    assert_eq!(rig.object(), 4);
    assert_eq!(
        rig.tells(&space6(1, 3), &mut []),
        stop(8, (0, 5), NEITHER, 3)
    );
    rig.does(&space6(1, -1));
    assert_eq!(rig.object(), 3);
    assert_eq!(rig.tells(&space6(1, -2), &mut []), stop(0, (0, 4), END, 2));
    rig.does(&space6(3, 9));
    assert_eq!(rig.object(), 5);
}

#[test]
fn spacing_by_64_bits_is_the_same() {
    let space16 = |code: u8, count: i64| {
        let mut cdb = [0; 16];
        cdb[..2].copy_from_slice(&[0x91, code]);
        cdb[4..12].copy_from_slice(&count.to_be_bytes());
        cdb
    };
    let mut rig = recorded();
    rig.does(&space16(1, 1));
    rig.does(&space16(0, 1));
    assert_eq!(rig.object(), 5);
    assert_eq!(
        rig.tells(&space16(0, -(1 << 33)), &mut []),
        stop(0, (0, 1), FILEMARK, (1 << 33) - 1)
    );
    assert_eq!(rig.tells(&space16(1, i64::MIN), &mut []).reason, (0, 4));
    rig.does(&space16(3, 0));
    let mut with_data = space16(0, 1);
    with_data[13] = 8;
    rig.refuses_field(&with_data, 12);
}

#[test]
fn spacing_over_what_the_drive_does_not_know_is_refused() {
    let mut rig = recorded();
    for code in [2, 5, 6, 15] {
        rig.refuses_field(&space6(code, 1), 1);
    }
    // Setmarks, of a drive that has none.
    rig.refuses_field(&space6(4, 1), 1);
    rig.refuses_field(&space6(4, 0), 1);
    rig.refuses_field(&[0x10, 2, 0, 0, 1, 0], 1);
}

#[test]
fn setmarks_of_a_drive_that_has_them() {
    let mut rig = Rig::new("dds");
    rig.takes(&write6(0, 5), &[1; 5]);
    rig.does(&[0x10, 2, 0, 0, 2, 0]);
    rig.takes(&write6(0, 5), &[1; 5]);
    rig.does(&REWIND);
    rig.does(&space6(0, 1));
    let mut data = [0; 5];
    assert_eq!(
        rig.tells(&read6(0, 5), &mut data),
        stop(0, (0, 3), FILEMARK, 5)
    );
    rig.does(&space6(4, 1));
    assert_eq!(rig.object(), 3);
    assert_eq!(
        rig.tells(&space6(1, -1), &mut []),
        stop(0, (0, 3), FILEMARK, 1)
    );
    assert_eq!(
        rig.tells(&space6(4, 4), &mut []),
        stop(8, (0, 5), NEITHER, 3)
    );
}

#[test]
fn locate_goes_to_objects_files_partitions_and_the_end_of_data() {
    let locate16 = |flags: u8, partition: u8, number: u64| at16(0x92, flags, partition, number, 0);
    let mut rig = recorded();
    rig.does(&[0x2b, 0, 0, 0, 0, 0, 2, 0, 0, 0]);
    assert_eq!(rig.object(), 2);
    let past = rig.tells(&[0x2b, 4, 0, 0, 0, 1, 0, 0, 0, 0], &mut []);
    assert_eq!(past, plain(8, (0, 5)));
    assert_eq!(rig.object(), 5);
    rig.does(&locate16(0, 0, 1));
    assert_eq!(rig.object(), 1);
    rig.does(&locate16(1 << 3, 0, 1));
    assert_eq!(rig.object(), 4);
    rig.does(&locate16(1 << 3, 0, 0));
    assert_eq!(rig.object(), 0);
    assert_eq!(
        rig.tells(&locate16(1 << 3, 0, u64::MAX), &mut []),
        plain(8, (0, 5))
    );
    rig.does(&REWIND);
    rig.does(&locate16(3 << 3, 0, 0));
    assert_eq!(rig.object(), 5);
    // A kind of place and partitions that there are not.
    rig.refuses_field(&locate16(2 << 3, 0, 0), 1);
    rig.refuses_field(&locate16(2, 1, 0), 3);
    rig.refuses_field(&[0x2b, 2, 0, 0, 0, 0, 0, 0, 1, 0], 8);
}

#[test]
fn commands_of_16_bytes_begin_where_they_say() {
    let mut rig = recorded();
    let mut data = [0; 300];
    let reply = rig.run(&at16(0x88, 0, 0, 2, 300), &mut data);
    assert_eq!((told(&reply), reply.transferred), (None, 300));
    assert_eq!(data[..], block_of(300, 300));
    let reply = rig.run(&at16(0x8f, 2, 0, 0, 100), &mut block_of(100, 100));
    assert_eq!(told(&reply), None);
    let past = rig.tells(&at16(0x88, 0, 0, 99, 300), &mut data);
    assert_eq!(past, plain(8, (0, 5)));
    rig.refuses_field(&at16(0x88, 0, 1, 0, 1), 3);
    rig.takes(&at16(0x8a, 0, 0, 1, 20), &[9; 20]);
    assert_eq!(rig.object(), 2);
    rig.does(&at16(0x80, 1, 0, 2, 3));
    rig.does(&space6(3, 0));
    assert_eq!(rig.object(), 5);
    rig.does(&at16(0x93, 0, 0, 1, 0));
    rig.does(&space6(3, 0));
    assert_eq!(rig.object(), 1);
}

#[test]
fn verify_reads_and_compares() {
    let mut rig = recorded();
    rig.does(&[0x13, 0, 0, 0, 100, 0]);
    let told = rig.tells(&[0x13, 0, 0, 0, 250, 0], &mut []);
    assert_eq!(told, stop(0, (0, 0), LENGTH, 50));
    let mut other = block_of(300, 300);
    other[299] ^= 1;
    let told = rig.tells(&[0x13, 2, 0, 1, 44, 0], &mut other);
    assert_eq!(told, stop(0xe, (0x1d, 0), NEITHER, 300));
    assert_eq!(rig.object(), 3, "behind the block that differs");
    let told = rig.tells(&[0x13, 0, 0, 0, 1, 0], &mut []);
    assert_eq!(told, stop(0, (0, 1), FILEMARK, 1));
    for (flags, byte) in [(0x20, 1), (0x10, 1), (0x08, 1), (0x06, 1)] {
        rig.refuses_field(&[0x13, flags, 0, 0, 1, 0], byte);
    }
    let mut rig = fixed(10);
    rig.takes(&write6(1, 4), &block_of(1, 40));
    rig.does(&REWIND);
    let mut given = block_of(1, 40);
    given[25] ^= 1;
    let told = rig.tells(&[0x13, 3, 0, 0, 4, 0], &mut given);
    assert_eq!(told, stop(0xe, (0x1d, 0), NEITHER, 2));
    assert_eq!(rig.object(), 3);
    rig.does(&[0x13, 1, 0, 0, 1, 0]);
    let told = rig.tells(&[0x13, 1, 0, 0, 2, 0], &mut []);
    assert_eq!(told, stop(8, (0, 5), NEITHER, 2));
}

#[test]
fn erase_cuts_off_where_the_drive_allows_it() {
    let mut rig = recorded();
    rig.does(&space6(0, 1));
    rig.does(&[0x19, 0, 0, 0, 0, 0]);
    rig.does(&space6(3, 0));
    assert_eq!(rig.object(), 1);
    let mut rig = Rig::new("lto5");
    rig.takes(&write6(0, 5), &[1; 5]);
    rig.refuses_field(&[0x19, 1, 0, 0, 0, 0], 1);
    rig.does(&REWIND);
    rig.does(&[0x19, 1, 0, 0, 0, 0]);
    rig.does(&space6(3, 0));
    assert_eq!(rig.object(), 0);
}

#[test]
fn load_and_unload() {
    let mut rig = recorded();
    rig.does(&space6(0, 1));
    rig.does(&[0x1b, 0, 0, 0, 0, 0]);
    let absent = plain(2, (0x3a, 0));
    for cdb in [
        [0; 6],
        REWIND,
        read6(0, 1),
        write6(0, 1),
        space6(0, 1),
        [0x10, 0, 0, 0, 1, 0],
    ] {
        assert_eq!(rig.tells(&cdb, &mut [0]), absent, "{cdb:02x?}");
    }
    // The one who loads hears of it too, whether the medium was ready before or not.
    for _ in 0..2 {
        rig.does(&[0x1b, 0, 0, 0, 1, 0]);
        assert_eq!(rig.tells(&[0; 6], &mut []), plain(6, (0x28, 0)));
        assert_eq!(rig.object(), 0);
    }
    rig.does(&space6(0, 2));
    // A retension of a loaded medium is no news.
    rig.does(&[0x1b, 1, 0, 0, 3, 0]);
    assert_eq!(rig.object(), 0);
    for (bits, byte) in [(0x08, 4), (0x05, 4), (0x06, 4)] {
        rig.refuses_field(&[0x1b, 0, 0, 0, bits, 0], byte);
    }
    let mut empty = Rig::empty("generic");
    assert_eq!(empty.tells(&[0x1b, 0, 0, 0, 1, 0], &mut []), absent);
}

#[test]
fn a_medium_is_cut_into_partitions_by_format_medium() {
    let mut rig = Rig::new("lto5");
    let page = |flags: u8, units: u8, sizes: [u16; 2]| {
        let mut data = vec![0, 0, 0x10, 0, 0x11, 10, 1, 1, flags | 4, 3, units, 0];
        data.extend(sizes.iter().flat_map(|size| size.to_be_bytes()));
        data
    };
    let select = [0x15, 0x10, 0, 0, 16, 0];
    // Nothing is said of the sizes before a MODE SELECT.
    rig.refuses_field(&[4, 0, 1, 0, 0, 0], 2);
    rig.takes(&select, &page(0x30, 0, [u16::MAX, 64]));
    let mode = rig.gives(&[0x1a, 8, 0x11, 0, 255, 0]);
    assert_eq!(
        mode[4..],
        [0x11, 10, 1, 1, 0x34, 3, 0, 0, 0xff, 0xff, 0, 64]
    );
    rig.takes(&write6(0, 5), &[1; 5]);
    assert_eq!(
        rig.tells(&[4, 0, 1, 0, 0, 0], &mut []),
        plain(5, (0x3b, 0xc))
    );
    rig.does(&REWIND);
    rig.does(&[4, 0, 1, 0, 0, 0]);
    rig.does(&[0x2b, 2, 0, 0, 0, 0, 0, 0, 1, 0]);
    let mode = rig.gives(&[0x1a, 8, 0x11, 0, 255, 0]);
    assert_eq!(mode[4..10], [0x11, 10, 1, 1, 0x14, 3]);
    // At the beginning of any partition, since the st driver stays in the one where it rewinds.
    rig.does(&[0x0b, 0, 0, 0xff, 0xff, 0]);
    assert_eq!(rig.object(), 0);
    rig.refuses_field(&[0x2b, 2, 0, 0, 0, 0, 0, 0, 1, 0], 8);
    rig.refuses_field(&[0x0b, 0, 0, 0x80, 0, 0], 3);
    rig.refuses_field(&[4, 0, 3, 0, 0, 0], 2);
    rig.refuses_field(&[4, 0, 0, 0, 1, 0], 3);
    // Both are the rest; one is nothing; too large; three partitions; two ways at once; another page length.
    rig.refuses_data(&select, &page(0x30, 0, [u16::MAX, u16::MAX]), 14);
    rig.refuses_data(&select, &page(0x30, 0, [u16::MAX, 0]), 14);
    rig.refuses_data(&select, &page(0x38, 15, [u16::MAX, 60_000]), 10);
    let mut three = page(0x30, 0, [1, 1]);
    three[7] = 2;
    rig.refuses_data(&select, &three, 7);
    rig.refuses_data(&select, &page(0xa0, 0, [1, 1]), 8);
    rig.refuses_data(
        &[0x15, 0x10, 0, 0, 12, 0],
        &[0, 0, 0x10, 0, 0x11, 6, 1, 1, 0x34, 3, 0, 0],
        5,
    );
}

#[test]
fn a_drive_that_limits_reads_refuses_lengths_outside_its_block_limits() {
    let mut rig = Rig::new("scsi_debug");
    rig.takes(&write6(0, 512), &[1; 512]);
    rig.does(&REWIND);
    rig.refuses_field(&read6(0, 511), 2);
    rig.refuses_field(&read6(0, (1 << 20) + 1), 2);
    let reply = rig.run(&read6(0, 512), &mut [0; 512]);
    assert_eq!((told(&reply), reply.transferred), (None, 512));
    let mut free = recorded();
    let mut room = vec![0; 0x00ff_ffff];
    let reply = free.run(&read6(2, 0x00ff_ffff), &mut room);
    assert_eq!((told(&reply), reply.transferred), (None, 100));
}

#[test]
fn the_beginning_is_marked_where_the_drive_marks_it() {
    for (personality, flags) in [("generic", 0xb0), ("scsi_debug", 0x30)] {
        let mut rig = Rig::new(personality);
        let position = rig.gives(&[0x34, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(position[0], flags, "{personality}");
    }
}
