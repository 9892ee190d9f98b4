//! A drive that is a mirror of legs, in process: what programs see of it, and what operators ask.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use pseudotape_chardev::{Caller, CharDevice, Errno, Handle, IoctlRequest, Opened, WordSize};
use pseudotape_control::mirror::{
    LegCondition, LegStatus, LegVolume, MirrorStatus, Request, Response,
};
use pseudotape_control::{FaultStatus, Peer};
use pseudotape_mtio::{MtOp, Operation};
use pseudotape_sink::{Access, Sink};
use pseudotape_st::Node;
use pseudotape_tape::{Drive, Stop, Transfer, Volume, make_ready};

use crate::tape_drive::TapeDrive;
use crate::tape_node::TapeNode;

const RDWR: u32 = libc::O_RDWR.unsigned_abs();

const CALLER: Caller = Caller {
    tid: 0,
    uid: 1000,
    gid: 100,
};

/// What stands on a tape: blocks, and filemarks as `None`.
type Objects = Vec<Option<Vec<u8>>>;

/// A drive with two legs whose images are in a directory of their own.
struct Rig {
    directory: tempfile::TempDir,
    drive: Arc<TapeDrive>,
    node: TapeNode,
}

impl Rig {
    /// The options stand behind the sink of leg b, and behind the legs.
    fn new(of_b: &str, of_drive: &str) -> Rig {
        Rig::within(tempfile::tempdir().expect("a directory"), of_b, of_drive)
    }

    fn within(directory: tempfile::TempDir, of_b: &str, of_drive: &str) -> Rig {
        let at = directory.path().display();
        let legs = format!(
            r"legs=a=image:{at}/a.ptape\,create;b=image:{at}/b.ptape\,create{of_b}{of_drive}"
        );
        let arguments = ["pseudotape-dev", "--drive", &legs];
        let arguments = crate::cli::Arguments::parse_from(arguments);
        let config = crate::config::read(&arguments).expect("a good specification");
        let drive = Arc::new(TapeDrive::new(0, &config.drives[0]).expect("a drive"));
        let node = Node {
            mode: 0,
            rewinding: false,
        };
        let node = TapeNode::new(Arc::clone(&drive), "npmtm0".into(), node, Duration::ZERO);
        Rig {
            directory,
            drive,
            node,
        }
    }

    fn open(&self) -> Result<Handle, Errno> {
        match self.node.open(RDWR, CALLER)? {
            Opened::Open(handle) => Ok(handle),
            other => panic!("nobody waits: {other:?}"),
        }
    }

    fn operate(&self, handle: Handle, operation: Operation, count: i32) -> Result<i32, Errno> {
        let input = MtOp { operation, count }.encode();
        let request = IoctlRequest {
            command: 0x4008_6d01,
            argument: 0,
            input: &input,
            caller: CALLER,
            word_size: WordSize::Bits64,
        };
        self.node.ioctl(handle, request, &mut Vec::new())
    }

    fn ask(&self, request: Request) -> Response {
        let own = Peer {
            pid: std::process::id(),
            uid: Some(nix::unistd::geteuid().as_raw()),
        };
        let answer = self.drive.ask_mirror(request, own);
        answer.unwrap_or_else(|error| Response::Error {
            message: error.to_string(),
        })
    }

    fn done(&self, request: Request) -> String {
        match self.ask(request) {
            Response::Done { message } => message,
            other => panic!("not done: {other:?}"),
        }
    }

    fn refused(&self, request: Request) -> String {
        match self.ask(request) {
            Response::Error { message } => message,
            other => panic!("not refused: {other:?}"),
        }
    }

    fn status(&self) -> MirrorStatus {
        match self.ask(Request::Status) {
            Response::Status(status) => *status,
            other => panic!("no status: {other:?}"),
        }
    }

    fn leg_b(&self) -> LegStatus {
        self.status().legs.pop().expect("there are two")
    }

    fn inject(&self, fault: &str) {
        let answer = self.ask(Request::Inject {
            leg: "b".into(),
            remove: Vec::new(),
            faults: vec![fault.into()],
        });
        assert!(matches!(answer, Response::Faults { .. }), "{answer:?}");
    }

    /// The faults of leg b that are left without these.
    fn faults_of_b(&self, without: &[&str]) -> Vec<FaultStatus> {
        let answer = self.ask(Request::Inject {
            leg: "b".into(),
            remove: without.iter().map(|fault| (*fault).into()).collect(),
            faults: Vec::new(),
        });
        match answer {
            Response::Faults { faults, .. } => faults,
            other => panic!("no faults: {other:?}"),
        }
    }

    fn image(&self, leg: &str) -> std::path::PathBuf {
        self.directory.path().join(format!("{leg}.ptape"))
    }

    /// Ends the drive; both images are what is expected.
    fn end_with(self, expected: &Objects) {
        assert_eq!(self.drive.end().expect("it ends well"), None);
        for leg in ["a", "b"] {
            assert_eq!(objects(&self.image(leg)), *expected, "leg {leg}");
        }
    }
}

fn objects(image: &Path) -> Objects {
    let mut volume = Sink::at(image)
        .open(Access::ReadOnly)
        .expect("nobody has it open");
    let drive: &mut dyn Volume = &mut *volume;
    make_ready(drive).expect("it is loaded");
    let (mut found, mut buffer) = (Vec::new(), vec![0; 1 << 20]);
    loop {
        let done = drive
            .read(Transfer::Variable, &mut buffer)
            .expect("it can be read");
        match done.stop {
            None => found.push(Some(buffer[..done.bytes].to_vec())),
            Some(Stop::Filemark) => found.push(None),
            Some(_) => return found,
        }
    }
}

fn block(number: u8) -> Vec<u8> {
    vec![number; 1000 + usize::from(number)]
}

fn leg(name: &str) -> String {
    name.to_owned()
}

/// PT-07: the drive needs no other process.
#[test]
fn what_is_written_is_on_both_legs_and_the_status_says_so() {
    let rig = Rig::new("", "");
    let file = rig.open().expect("volumes are in");
    for number in 0..5 {
        let block = block(number);
        assert_eq!(rig.node.write(file, &block), Ok(block.len()));
    }
    let status = rig.drive.status();
    assert_eq!(status.personality, "mirror");
    assert!(status.identity.contains("MIRROR"), "{}", status.identity);
    assert_eq!(status.position.map(|at| at.object), Some(5));
    let mirror = status.mirror.expect("it is one");
    assert!(!mirror.degraded);
    assert!(mirror.legs.iter().all(|leg| leg.state == "in-step"));
    let told = rig.status();
    assert_eq!((told.slave, told.in_file), (None, true));
    assert_eq!(told.position.map(|at| at.object), Some(5));
    assert_eq!(rig.node.close(file), Ok(()));
    // It is read from one of them.
    let file = rig.open().expect("volumes are in");
    assert_eq!(rig.operate(file, Operation::Rewind, 1), Ok(0));
    let mut buffer = vec![0; 4000];
    assert_eq!(rig.node.read(file, &mut buffer), Ok(1000));
    assert_eq!(rig.node.close(file), Ok(()));
    let mut expected: Objects = (0..5).map(|number| Some(block(number))).collect();
    expected.push(None);
    rig.end_with(&expected);
}

/// PT-09, PT-10: the smaller leg's early warning ends the volume for both, and a trailer still fits.
#[test]
fn the_first_leg_to_reach_its_end_ends_the_volume_for_both() {
    let rig = Rig::new(r"\,capacity=1M\,early-warning=64K", "");
    let file = rig.open().expect("volumes are in");
    let data = vec![7; 10_240];
    let mut expected = Objects::new();
    loop {
        match rig.node.write(file, &data) {
            Ok(written) => {
                assert_eq!(written, data.len());
                expected.push(Some(data.clone()));
            }
            Err(errno) => {
                assert_eq!(errno, Errno(libc::ENOSPC));
                break;
            }
        }
        assert!(expected.len() < 103, "more than fits");
    }
    assert!(expected.len() > 90, "{}", expected.len());
    assert!(
        rig.status()
            .position
            .expect("it is known")
            .past_early_warning
    );
    assert_eq!(rig.node.write(file, b"trailer"), Ok(7));
    expected.push(Some(b"trailer".to_vec()));
    assert_eq!(rig.node.close(file), Ok(()));
    expected.push(None);
    rig.end_with(&expected);
}

/// PT-18: a required leg that fails ends the program's write, and a resync brings it back.
#[test]
fn a_required_leg_that_fails_fails_the_write_and_a_resync_mends_it() {
    let rig = Rig::new("", "");
    let file = rig.open().expect("volumes are in");
    rig.inject("write-error,at=1,times=1");
    assert_eq!(rig.node.write(file, &block(0)), Ok(1000));
    assert_eq!(rig.node.write(file, &block(1)), Err(Errno::EIO));
    let lost = rig.leg_b();
    assert_eq!(
        (lost.state, lost.not_mirrored_from),
        (LegCondition::OutOfStep, Some(1))
    );
    assert!(rig.drive.status().mirror.expect("it is one").degraded);
    let message = rig.done(Request::Resync { leg: leg("b") });
    assert!(message.starts_with("leg b is in step"), "{message}");
    assert_eq!(rig.leg_b().state, LegCondition::InStep);
    assert_eq!(rig.node.write(file, &block(2)), Ok(1002));
    assert_eq!(rig.node.close(file), Ok(()));
    // What no leg has for sure was never answered.
    rig.end_with(&vec![Some(block(0)), Some(block(2)), None]);
}

/// PT-18: a spare leg that fails is dropped, and the job goes on; the end of the daemon says what is no copy.
#[test]
fn a_spare_leg_that_fails_is_dropped_and_told_at_the_end() {
    let rig = Rig::new(r"\,class=spare", "");
    let file = rig.open().expect("volumes are in");
    rig.inject("write-error,at=1");
    for number in 0..3 {
        let block = block(number);
        assert_eq!(rig.node.write(file, &block), Ok(block.len()));
    }
    assert_eq!(rig.node.close(file), Ok(()));
    assert_eq!(rig.leg_b().not_mirrored_from, Some(1));
    let error = rig.drive.end().expect_err("leg b is no copy").to_string();
    assert_eq!(error, "leg b: not mirrored from object 1 on");
    assert_eq!(objects(&rig.image("a")).len(), 4);
    // Another daemon finds the mark, and a resync brings the leg back.
    let rig = Rig::within(rig.directory, r"\,class=spare", "");
    assert_eq!(rig.leg_b().state, LegCondition::OutOfStep);
    rig.done(Request::Resync { leg: leg("b") });
    rig.end_with(&vec![Some(block(0)), Some(block(1)), Some(block(2)), None]);
}

/// PT-13: with fewer legs in step than are wanted what writes fails.
#[test]
fn with_too_few_legs_nothing_is_written() {
    let rig = Rig::new(r"\,class=spare", ",min-legs=2");
    let file = rig.open().expect("volumes are in");
    rig.done(Request::Drop { leg: leg("b") });
    assert_eq!(rig.node.write(file, &block(0)), Err(Errno::EIO));
    rig.done(Request::Return {
        leg: leg("b"),
        sink: None,
        force: false,
    });
    assert_eq!(rig.node.write(file, &block(0)), Ok(1000));
    assert_eq!(rig.node.close(file), Ok(()));
    rig.end_with(&vec![Some(block(0)), None]);
}

/// A leg that hangs keeps its program, and nobody else: another open is refused at once, the status says that a call is
/// under way, and the write goes on when the leg does.
#[test]
fn a_leg_that_hangs_keeps_nobody_but_its_program() {
    let rig = Rig::new("", "");
    let file = rig.open().expect("volumes are in");
    assert_eq!(rig.node.write(file, &block(0)), Ok(1000));
    rig.inject("hang,on=write");
    std::thread::scope(|scope| {
        let write = scope.spawn(|| rig.node.write(file, &block(1)));
        // It hangs from the moment when it has met its fault.
        while !rig.faults_of_b(&[]).iter().any(|fault| fault.met > 0) {
            std::thread::sleep(Duration::from_millis(1));
        }
        assert_eq!(rig.open(), Err(Errno::EBUSY));
        let status = rig.drive.status();
        assert!(status.busy);
        assert!(status.open.is_some(), "the program is named");
        let told = rig.status();
        assert!(
            told.legs
                .iter()
                .all(|leg| leg.state == LegCondition::InStep)
        );
        assert!(!write.is_finished(), "the leg hangs still");
        rig.faults_of_b(&["all"]);
        assert_eq!(write.join().expect("no panic"), Ok(1001));
    });
    assert_eq!(rig.node.close(file), Ok(()));
    rig.end_with(&vec![Some(block(0)), Some(block(1)), None]);
}

/// A late leg has everything at the end, whatever it has while the program writes.
#[test]
fn a_late_leg_catches_up_before_the_end() {
    let rig = Rig::new(r"\,when=deferred", "");
    rig.inject("slow,delay=5ms");
    let file = rig.open().expect("volumes are in");
    let mut expected = Objects::new();
    for number in 0..20 {
        let block = block(number);
        assert_eq!(rig.node.write(file, &block), Ok(block.len()));
        expected.push(Some(block));
    }
    assert_eq!(rig.node.close(file), Ok(()));
    expected.push(None);
    rig.end_with(&expected);
}

#[test]
fn programs_and_operators_take_the_volumes_out_and_put_others_in() {
    let rig = Rig::new("", "");
    let file = rig.open().expect("volumes are in");
    assert_eq!(rig.node.write(file, &block(0)), Ok(1000));
    // The operator of the drive, and of its mirror, are told who has it.
    for refused in [
        rig.drive.unload(false).expect_err("it is open").to_string(),
        rig.refused(Request::Unload { force: false }),
    ] {
        assert!(refused.contains("is open by"), "{refused}");
    }
    assert_eq!(rig.operate(file, Operation::Offline, 1), Ok(0));
    assert_eq!(rig.node.close(file), Ok(()));
    assert!(!rig.status().loaded);
    assert_eq!(objects(&rig.image("b")), [Some(block(0)), None]);
    // Nothing goes in that is no leg's.
    let image = rig.drive.load(&rig.image("a")).expect_err("it is a mirror");
    assert!(image.to_string().contains("mirror of legs"), "{image}");
    for refused in [
        rig.drive.write_protect(true).expect_err("it is a mirror"),
        rig.drive.reset().expect_err("it is a mirror"),
    ] {
        assert!(refused.to_string().contains("mirror of legs"), "{refused}");
    }
    let at = rig.directory.path().display().to_string();
    let volume = |name: &str| LegVolume {
        leg: leg(name),
        sink: format!("image:{at}/{name}2.ptape,create"),
    };
    let early = rig.refused(Request::Load {
        legs: vec![volume("a")],
    });
    assert!(early.contains("leg b needs a volume"), "{early}");
    rig.done(Request::Load {
        legs: vec![volume("a"), volume("b")],
    });
    let file = rig.open().expect("volumes are in");
    assert_eq!(rig.node.write(file, &block(1)), Ok(1001));
    assert_eq!(rig.node.close(file), Ok(()));
    let out = rig.drive.unload(false).expect("nobody has it open");
    assert_eq!(out, "drive 0: unloaded");
    for name in ["a2", "b2"] {
        assert_eq!(objects(&rig.image(name)), [Some(block(1)), None], "{name}");
    }
    assert!(!rig.status().loaded);
    rig.end_with(&vec![Some(block(0)), None]);
}

/// ST-OPEN-03: the drive's block size stays when other volumes are put in, by an operator and by a program.
#[test]
fn the_block_size_of_the_drive_outlives_its_volumes() {
    let rig = Rig::new("", "");
    let at = rig.directory.path().display().to_string();
    let file = rig.open().expect("volumes are in");
    assert_eq!(rig.operate(file, Operation::SetBlockSize, 500), Ok(0));
    assert_eq!(rig.node.write(file, &block(0)[..1000]), Ok(1000));
    assert_eq!(rig.operate(file, Operation::Offline, 1), Ok(0));
    assert_eq!(rig.node.close(file), Ok(()));
    let volume = |name: &str| LegVolume {
        leg: leg(name),
        sink: format!("image:{at}/{name}2.ptape,create"),
    };
    rig.done(Request::Load {
        legs: vec![volume("a"), volume("b")],
    });
    let file = rig.open().expect("volumes are in");
    assert_eq!(rig.node.write(file, &block(1)[..1000]), Ok(1000));
    assert_eq!(rig.operate(file, Operation::Offline, 1), Ok(0));
    assert_eq!(rig.operate(file, Operation::Load, 1), Ok(0));
    assert_eq!(rig.node.write(file, &block(2)[..1000]), Ok(1000));
    assert_eq!(rig.node.close(file), Ok(()));
    rig.drive.end().expect("it ends well");
    let halves = |number| Some(block(number)[..500].to_vec());
    for name in ["a", "b"] {
        assert_eq!(objects(&rig.image(name)), [halves(0), halves(0), None]);
        let second = objects(&rig.image(&format!("{name}2")));
        assert_eq!(second, [halves(2), halves(2), None]);
    }
}

/// Whoever the socket lets in may do what the mirror's own socket allows him, and name no other volume.
#[test]
fn others_put_only_lent_volumes_into_legs() {
    let rig = Rig::new("", "");
    let other = Peer {
        pid: 1,
        uid: Some(54_321),
    };
    let ask = |request| rig.drive.ask_mirror(request, other).expect("it is one");
    let sink = rig.image("c").display().to_string();
    let answer = ask(Request::Return {
        leg: leg("b"),
        sink: Some(format!("image:{sink},create")),
        force: false,
    });
    let Response::Error { message } = answer else {
        panic!("not refused: {answer:?}");
    };
    assert!(message.contains("folders"), "{message}");
    assert!(!rig.image("c").exists());
    let answer = ask(Request::Inject {
        leg: leg("b"),
        remove: Vec::new(),
        faults: vec!["write-error".into()],
    });
    assert!(matches!(answer, Response::Error { .. }), "{answer:?}");
    assert_eq!(rig.leg_b().state, LegCondition::InStep);
    assert!(matches!(ask(Request::Status), Response::Status(_)));
    rig.end_with(&Objects::new());
}

/// PT-18: volumes that disagree wait for the operator.
#[test]
fn volumes_that_disagree_are_refused_until_one_is_trusted() {
    let rig = Rig::new("", "");
    let file = rig.open().expect("volumes are in");
    assert_eq!(rig.node.write(file, &block(0)), Ok(1000));
    assert_eq!(rig.node.close(file), Ok(()));
    assert_eq!(rig.drive.end().expect("it ends well"), None);
    let directory = rig.directory;
    let mut other = Sink::at(&directory.path().join("b.ptape"))
        .open(Access::ReadWrite)
        .expect("nobody has it open");
    make_ready(&mut *other).expect("it is loaded");
    other.rewind().expect("it goes back");
    other
        .write(Transfer::Variable, &block(7))
        .expect("there is room");
    other.finish().expect("it is closed");
    let rig = Rig::within(directory, "", "");
    let mirror = rig.drive.status().mirror.expect("it is one");
    let refused = mirror.refused.expect("they disagree");
    assert!(refused.contains("disagree"), "{refused}");
    assert!(
        rig.refused(Request::Resync { leg: leg("b") })
            .contains("trust")
    );
    rig.done(Request::Trust {
        leg: leg("a"),
        force: true,
    });
    rig.done(Request::Resync { leg: leg("b") });
    rig.end_with(&vec![Some(block(0)), None]);
}

#[test]
fn a_drive_that_is_no_mirror_says_so() {
    let arguments = crate::cli::Arguments::parse_from(["pseudotape-dev", "--drive", ""]);
    let config = crate::config::read(&arguments).expect("a good specification");
    let drive = TapeDrive::new(3, &config.drives[0]).expect("a drive");
    let nobody = Peer { pid: 1, uid: None };
    let error = drive.ask_mirror(Request::Status, nobody).expect_err("no");
    assert!(
        error.to_string().contains("drive 3 is no mirror"),
        "{error}"
    );
}

/// What a leg alone holds is not given up: a resync that would do so is refused, and the status does not advise it.
#[test]
fn a_resync_that_would_drop_the_only_copy_is_refused() {
    let rig = Rig::new(r"\,class=spare", "");
    let file = rig.open().expect("volumes are in");
    for number in 0..10 {
        let block = block(number);
        assert_eq!(rig.node.write(file, &block), Ok(block.len()));
    }
    rig.inject("write-error,at=10");
    assert_eq!(rig.node.write(file, &block(10)), Ok(1010));
    assert_eq!(rig.operate(file, Operation::Offline, 1), Ok(0));
    assert_eq!(rig.node.close(file), Ok(()));
    rig.drive.end().expect_err("leg b is no copy");
    spoil(&rig.image("a"), 4);
    let rig = Rig::within(rig.directory, r"\,class=spare", "");
    assert!(
        rig.leg_b()
            .advice
            .expect("it is out of step")
            .contains("resync b")
    );
    for _ in 0..2 {
        let refused = rig.refused(Request::Resync { leg: leg("b") });
        assert!(
            refused.contains("object 4 of partition 0 can't be read from leg a"),
            "{refused}"
        );
        assert!(!refused.contains("return b"), "{refused}");
        let advice = rig.leg_b().advice.expect("it is out of step");
        assert!(
            advice.contains("copy --damaged record") && !advice.contains("resync"),
            "{advice}"
        );
    }
    let refused = rig.refused(Request::Return {
        leg: leg("b"),
        sink: None,
        force: false,
    });
    assert!(refused.contains("object 4 of partition 0"), "{refused}");
    rig.drive.end().expect_err("leg b is no copy");
    let held: Objects = (0..10).map(|number| Some(block(number))).collect();
    assert_eq!(objects(&rig.image("b")), held);
}

/// Each block is whole on one of two legs: no command is advised that copies one of them over the other.
#[test]
fn of_two_damaged_legs_neither_is_to_be_dropped() {
    let rig = Rig::new("", "");
    let file = rig.open().expect("volumes are in");
    for number in 0..10 {
        let block = block(number);
        assert_eq!(rig.node.write(file, &block), Ok(block.len()));
    }
    assert_eq!(rig.node.close(file), Ok(()));
    assert_eq!(rig.drive.end().expect("it ends well"), None);
    spoil(&rig.image("a"), 4);
    spoil(&rig.image("b"), 1);
    let rig = Rig::within(rig.directory, "", "");
    let file = rig.open().expect("volumes are in");
    let mut buffer = vec![0; 4000];
    for number in 0..10 {
        let block = block(number);
        assert_eq!(rig.node.read(file, &mut buffer), Ok(block.len()));
        assert!(buffer.starts_with(&block), "block {number}");
    }
    assert_eq!(rig.node.close(file), Ok(()));
    for leg in rig.status().legs {
        let advice = leg.advice.expect("it is damaged");
        assert!(
            advice.contains("through the mirror") && !advice.contains("drop"),
            "{advice}"
        );
    }
    rig.done(Request::Drop { leg: leg("b") });
    let refused = rig.refused(Request::Return {
        leg: leg("b"),
        sink: None,
        force: false,
    });
    assert!(refused.contains("object 4 of partition 0"), "{refused}");
    let advice = rig.leg_b().advice.expect("it is dropped");
    assert!(!advice.contains("return"), "{advice}");
    rig.drive.end().expect_err("leg b is no copy");
    let bytes = std::fs::read(rig.image("b")).expect("it is there");
    for number in (0..10).filter(|number| *number != 1) {
        let block = block(number);
        assert!(
            bytes.windows(block.len()).any(|window| window == block),
            "{number}"
        );
    }
}

/// Damages a block in an image.
fn spoil(image: &Path, number: u8) {
    let mut bytes = std::fs::read(image).expect("it is there");
    let block = block(number);
    let at = bytes
        .windows(block.len())
        .position(|window| window == block);
    let at = at.expect("blocks stand in an image as they are");
    bytes[at + 100..at + 120].fill(0xee);
    std::fs::write(image, bytes).expect("it can be written");
}
