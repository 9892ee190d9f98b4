//! Files of `/proc` that stay open for tasks that are asked again.

use std::fs::File;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use super::path::ProcPath;

/// So many tasks are remembered: those that write or read at the same time. A drive has one program at a time.
const TASKS_MAX: usize = 8;

/// The files `/proc/<tid>/syscall` of the tasks that were asked last. To open and close one costs more than to read it.
///
/// An open file stays that of its task, also where another task has got its number meanwhile: reading it fails then.
#[derive(Debug, Default)]
pub(super) struct Asked(Mutex<Files>);

#[derive(Debug, Default)]
struct Files {
    tasks: [Option<(u32, Arc<File>)>; TASKS_MAX],
    /// Whose place the next new task gets.
    oldest: usize,
}

impl Asked {
    /// Calls `ask` with the file of the task. Where a file fails that was open before, the task has ended, and `ask`
    /// gets the file of the task that has its number now.
    pub(super) fn ask<T>(&self, tid: u32, ask: impl Fn(&File) -> io::Result<T>) -> io::Result<T> {
        if let Some(file) = self.known(tid) {
            if let Ok(answer) = ask(&file) {
                return Ok(answer);
            }
            self.forget(tid);
        }
        let file = Arc::new(File::open(ProcPath::new(tid, "syscall").as_str())?);
        let answer = ask(&file)?;
        self.remember(tid, file);
        Ok(answer)
    }

    fn files(&self) -> std::sync::MutexGuard<'_, Files> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn known(&self, tid: u32) -> Option<Arc<File>> {
        let files = self.files();
        let mut known = files.tasks.iter().flatten();
        let (_, file) = known.find(|(task, _)| *task == tid)?;
        Some(Arc::clone(file))
    }

    fn forget(&self, tid: u32) {
        let mut files = self.files();
        for place in &mut files.tasks {
            place.take_if(|(task, _)| *task == tid);
        }
    }

    fn remember(&self, tid: u32, file: Arc<File>) {
        let mut files = self.files();
        let files = &mut *files;
        if let Some(place) = files.tasks.get_mut(files.oldest) {
            *place = Some((tid, file));
        }
        files.oldest = (files.oldest + 1) % TASKS_MAX;
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::os::unix::fs::FileExt;
    use std::process::{Command, Stdio};

    use super::*;

    fn read(file: &File) -> io::Result<usize> {
        file.read_at(&mut [0; 256], 0)
    }

    #[test]
    fn a_task_is_opened_once_and_anew_when_it_has_ended() {
        let asked = Asked::default();
        let mut child = Command::new("cat")
            .stdin(Stdio::piped())
            .spawn()
            .expect("cat starts");
        let tid = child.id();
        asked.ask(tid, read).expect("it lives");
        let first = asked.known(tid).expect("it is remembered");
        asked.ask(tid, read).expect("it lives");
        let again = asked.known(tid).expect("it is remembered");
        assert!(Arc::ptr_eq(&first, &again), "it was opened once");

        drop(child.stdin.take());
        child.wait().expect("it ends");
        read(&first).expect_err("the open file is the ended task's");
        asked.ask(tid, read).expect_err("nobody has the number now");
        assert!(asked.known(tid).is_none(), "an ended task is forgotten");

        // A file that fails once is not asked again: the task that has the number now is.
        let own = std::process::id();
        asked.ask(own, read).expect("it lives");
        let before = asked.known(own).expect("it is remembered");
        let asks = Cell::new(0);
        let fails_first = |file: &File| {
            asks.set(asks.get() + 1);
            match asks.get() {
                1 => Err(io::ErrorKind::NotFound.into()),
                _ => read(file),
            }
        };
        asked.ask(own, fails_first).expect("the second time");
        let after = asked.known(own).expect("it is remembered");
        assert!(!Arc::ptr_eq(&before, &after), "it was opened anew");
    }

    #[test]
    fn few_tasks_are_remembered() {
        let asked = Asked::default();
        let own = std::process::id();
        for tid in 1..=20 {
            let file = File::open(ProcPath::new(own, "syscall").as_str()).expect("our own");
            asked.remember(tid, Arc::new(file));
        }
        let known = (1..=20).filter(|tid| asked.known(*tid).is_some());
        assert!(known.eq(13..=20), "the last eight");
    }
}
