//! PT-03, PT-08. A drive behind our server runs the suite of every drive.

use std::os::unix::net::UnixStream;
use std::thread;

use nix::errno::Errno;
use pseudotape_bay::StTape;
use pseudotape_device::TapeNode;
use pseudotape_drive::Personality;
use pseudotape_rmt::{Reach, Remote, RmtDrive, ServerOptions, Shelf, serve};
use pseudotape_st::OpenFlags;
use pseudotape_tape::{Bare, Drive};
use pseudotape_testkit::{SUITE, SuiteMedium, drive_suite, image_drive, recovering, suite};

struct One(StTape);

impl Shelf for One {
    fn open(&mut self, name: &[u8], flags: OpenFlags) -> Result<Box<dyn TapeNode>, Errno> {
        match name {
            b"tape" => self.0.open(false, flags),
            _ => Err(Errno::EACCES),
        }
    }
}

fn image(personality: Personality, wanted: SuiteMedium) -> Box<dyn Drive> {
    let mut drive = image_drive(personality, wanted);
    drive.clear_attention();
    Box::new(recovering(drive, wanted.recovered_errors))
}

fn remote(personality: Personality, wanted: SuiteMedium) -> Box<dyn Drive> {
    let (ours, theirs) = UnixStream::pair().expect("a pair of sockets");
    let tape = StTape::new("tape", Box::new(Bare(image(personality, wanted)))).with_options();
    thread::spawn(move || {
        let reader = theirs.try_clone().expect("a second handle");
        serve(reader, theirs, &mut One(tape), ServerOptions::default())
            .expect("the client goes in order");
    });
    let remote = Remote::new(Reach::Unix("memory".into()), "tape");
    Box::new(RmtDrive::over_unix(ours, &remote).expect("our server is known to us"))
}

/// What no request of the protocol can do.
const IMPOSSIBLE: [(&str, &str); 2] = [
    (
        "only_the_block_just_written_can_be_extended",
        "W is one record, and no other request touches it",
    ),
    (
        "capacity_counts_bytes_of_blocks_and_marks",
        "no field of the status holds a capacity",
    ),
];

macro_rules! possible {
    ($($case:ident)*) => { $(possible! { @one $case })* };
    (@one only_the_block_just_written_can_be_extended) => {};
    (@one capacity_counts_bytes_of_blocks_and_marks) => {};
    (@one $case:ident) => {
        #[test]
        fn $case() {
            suite::$case(&remote);
        }
    };
}

drive_suite!(@list [possible]);

#[test]
fn what_is_left_out_of_the_suite_is_really_impossible() {
    for (name, reason) in IMPOSSIBLE {
        let case = SUITE
            .iter()
            .find(|case| case.name == name)
            .expect("a case of the suite");
        let run = std::panic::catch_unwind(|| (case.run)(&remote));
        assert!(run.is_err(), "{name} works, in spite of: {reason}");
    }
}
