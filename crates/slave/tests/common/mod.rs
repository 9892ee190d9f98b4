//! Pairs of a master and a slave, for tests.
#![allow(dead_code)] // Each test program uses only a part of this module.

pub mod raw;

use std::os::unix::net::UnixStream;
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use pseudotape_slave::{
    Channel, Options, ServeError, ServeOptions, SlaveDrive, SlavePort, StreamEnd, StreamRead,
    serve_with,
};
use pseudotape_tape::{Drive, Sense};

/// A timeout longer than any operation here takes, however busy the machine is.
pub const LONG: Duration = Duration::from_secs(60);

/// Pseudo-random numbers. The seed determines them.
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

/// The result of a slave that ran in a thread.
pub type Served = Receiver<Result<(), ServeError>>;

/// Serves a drive in a thread of its own.
pub fn serve_in_thread(
    mut drive: Box<dyn Drive>,
    channel: Channel,
    options: ServeOptions,
) -> Served {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let served = serve_with(&mut *drive, channel, &options);
        sender.send(served).ok();
    });
    receiver
}

/// A slave on a socket.
pub fn on_socket(port: &SlavePort, drive: Box<dyn Drive>, options: ServeOptions) -> Served {
    let (master, slave) = UnixStream::pair().expect("a pair of sockets");
    let channel = Channel::socket(slave).expect("a channel");
    let served = serve_in_thread(drive, channel, options);
    port.attach_socket(master).expect("the place is free");
    assert!(port.wait_attached(LONG), "{:?}", port.status());
    served
}

/// A slave on a byte stream that is cut at random places, as a frontend with a node cuts it.
pub fn on_stream(port: &SlavePort, drive: Box<dyn Drive>, seed: u64) -> Served {
    let end = port.attach_stream().expect("the place is free");
    let (requests, to_slave) = std::io::pipe().expect("a pipe");
    let (from_slave, replies) = std::io::pipe().expect("a pipe");
    carry(end, to_slave, from_slave, seed);
    let channel = Channel::pipes(requests, replies);
    let served = serve_in_thread(drive, channel, ServeOptions::default());
    assert!(port.wait_attached(LONG), "{:?}", port.status());
    served
}

/// Copies bytes between a stream end and two pipes, in pieces of random sizes.
pub fn carry(
    end: StreamEnd,
    mut to_slave: std::io::PipeWriter,
    mut from_slave: std::io::PipeReader,
    seed: u64,
) {
    use std::io::{Read, Write};
    use std::sync::{Arc, Condvar, Mutex};

    let piece = |random: &mut Random| match random.below(4) {
        0 => 1 + random.below(7) as usize,
        1 => 1 + random.below(200) as usize,
        _ => 1 + random.below(300_000) as usize,
    };
    let end = Arc::new(end);
    let bell = Arc::new((Mutex::new(0_u64), Condvar::new()));
    let ring = Arc::clone(&bell);
    end.set_waker(move || {
        *ring.0.lock().unwrap() += 1;
        ring.1.notify_all();
    });
    let reading = Arc::clone(&end);
    thread::spawn(move || {
        let mut random = Random(seed | 1);
        let mut buffer = vec![0; 400_000];
        loop {
            let rung = *bell.0.lock().unwrap();
            let length = piece(&mut random);
            match reading.read(&mut buffer[..length]) {
                StreamRead::Ready(0) => return,
                StreamRead::Ready(length) => {
                    if to_slave.write_all(&buffer[..length]).is_err() {
                        return;
                    }
                }
                StreamRead::NotYet => {
                    let waiting = bell.0.lock().unwrap();
                    drop(bell.1.wait_while(waiting, |now| *now == rung).unwrap());
                }
            }
        }
    });
    thread::spawn(move || {
        let mut random = Random(seed.rotate_left(20) | 1);
        let mut buffer = vec![0; 400_000];
        loop {
            let length = piece(&mut random);
            match from_slave.read(&mut buffer[..length]) {
                Ok(0) | Err(_) => {
                    end.hang_up();
                    return;
                }
                Ok(length) => {
                    if end.write(&buffer[..length]).is_err() {
                        return;
                    }
                }
            }
        }
    });
}

/// A master without a slave.
pub fn master(options: Options) -> (SlaveDrive, SlavePort) {
    SlaveDrive::new(options).expect("a thread")
}

/// Consumes the unit attentions of a new slave.
pub fn greet(drive: &mut SlaveDrive) {
    assert_eq!(drive.test_ready().unwrap_err().sense, Sense::Reset);
    assert_eq!(drive.test_ready().unwrap_err().sense, Sense::MediumChanged);
}
