//! Mounts with recorders behind their nodes.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};

use pseudotape_chardev::CharDevice;
use pseudotape_chardev::recorder::Recorder;
use pseudotape_dev::fuse::{self, MountOptions, Mounted, Uring};

/// How the calls of mounts come in this run.
pub fn uring() -> Uring {
    match pseudotape_tests::uring().as_str() {
        "always" => Uring::Always,
        "never" => Uring::Never,
        other => panic!("PSEUDOTAPE_TEST_URING is always or never, not {other}"),
    }
}

/// A mount with the nodes of two drives, each a recorder.
pub struct Mount {
    pub directory: tempfile::TempDir,
    pub device: Arc<Recorder>,
    pub other: Arc<Recorder>,
    pub mounted: Option<Mounted>,
    pub ended: mpsc::Receiver<String>,
}

impl Mount {
    pub fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let device = Arc::new(Recorder::default());
        let other = Arc::new(Recorder::default());
        let (mounted, ended) = Self::mount(directory.path(), &device, &other);
        Mount {
            directory,
            device,
            other,
            mounted: Some(mounted),
            ended,
        }
    }

    pub fn mount(
        directory: &Path,
        device: &Arc<Recorder>,
        other: &Arc<Recorder>,
    ) -> (Mounted, mpsc::Receiver<String>) {
        let nodes: Vec<(String, Arc<dyn CharDevice>)> = vec![
            ("pmtm0".to_owned(), device.clone()),
            ("npmtm0".to_owned(), device.clone()),
            ("pmtm1".to_owned(), other.clone()),
            ("npmtm1".to_owned(), other.clone()),
        ];
        let options = MountOptions {
            mode: 0o660,
            gid: Some(6),
            drives: 2,
            apart: Default::default(),
            uring: uring(),
        };
        let (send, ended) = mpsc::channel();
        let mounted = fuse::mount(directory, nodes, options, move |why| {
            send.send(why).expect("the test listens");
        });
        (mounted.expect("root can mount"), ended)
    }

    /// Mounts the same devices at the same place again.
    #[allow(
        dead_code,
        reason = "one of the users of this module never ends a mount"
    )]
    pub fn remount(&mut self) {
        let (mounted, ended) = Self::mount(self.directory.path(), &self.device, &self.other);
        self.mounted = Some(mounted);
        self.ended = ended;
    }

    pub fn path(&self) -> PathBuf {
        self.directory.path().join("pmtm0")
    }

    pub fn open(&self) -> File {
        open(&self.path())
    }

    pub fn unmount(&mut self) {
        if let Some(mounted) = self.mounted.take() {
            mounted.unmount().expect("it can be unmounted");
            assert_eq!(self.device.open_count() + self.other.open_count(), 0);
            assert!(self.ended.try_recv().is_err(), "it was asked to end");
        }
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        self.unmount();
    }
}

pub fn open(path: &Path) -> File {
    OpenOptions::new()
        .read(true)
        .write(true)
        .open(path)
        .expect("it opens")
}

pub fn errno<T: std::fmt::Debug>(result: io::Result<T>) -> i32 {
    result
        .expect_err("it fails")
        .raw_os_error()
        .expect("a system call failed")
}
