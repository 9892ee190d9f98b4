//! The control socket: one thread accepts, one thread a client; every length and count has a limit.

use std::io::{self, BufReader, Write};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use pseudotape_control::{Error, Request, Response, receive, send};

/// Most clients at a time.
pub const MAX_CLIENTS: usize = 16;
/// How long a client may be silent.
const CLIENT_TIMEOUT: Duration = Duration::from_secs(30);

/// Does what clients ask.
pub trait Operator: Send + Sync + 'static {
    /// Answers one request. May take as long as the work takes.
    fn answer(&self, request: Request) -> Response;
}

/// A listening control socket; ends and removes the socket when dropped.
pub struct ControlServer {
    path: PathBuf,
    stop: Arc<AtomicBool>,
    acceptor: Option<JoinHandle<()>>,
}

impl ControlServer {
    /// Listens on `path`, taking the place of a dead daemon's socket.
    pub fn start(path: &Path, mode: u32, operator: Arc<dyn Operator>) -> Result<ControlServer> {
        if let Some(directory) = path.parent().filter(|d| !d.as_os_str().is_empty()) {
            std::fs::create_dir_all(directory).with_context(|| {
                format!(
                    "can't make directory {} for the control socket",
                    directory.display()
                )
            })?;
        }
        clear_place(path)?;
        let listener = UnixListener::bind(path).with_context(|| {
            format!(
                "can't listen on {}: --control names another place",
                path.display()
            )
        })?;
        std::fs::set_permissions(path, PermissionsExt::from_mode(mode))
            .with_context(|| format!("can't set the mode of {}", path.display()))?;
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let acceptor = std::thread::Builder::new()
            .name("control".into())
            .spawn(move || accept(&listener, &stopped, &operator))
            .context("can't start the control thread")?;
        Ok(ControlServer {
            path: path.to_owned(),
            stop,
            acceptor: Some(acceptor),
        })
    }
}

impl Drop for ControlServer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        // Wakes the acceptor; where even that fails the process is about to end anyway.
        if let Err(error) = UnixStream::connect(&self.path) {
            log::debug!("control socket {}: {error}", self.path.display());
        } else if let Some(acceptor) = self.acceptor.take()
            && acceptor.join().is_err()
        {
            log::error!("the control thread panicked");
        }
        if let Err(error) = std::fs::remove_file(&self.path) {
            log::debug!("control socket {}: {error}", self.path.display());
        }
    }
}

/// Removes what a dead daemon left; refuses where one answers, or where the file is something else.
fn clear_place(path: &Path) -> Result<()> {
    match std::fs::symlink_metadata(path) {
        Err(_) => Ok(()),
        Ok(metadata) if !metadata.file_type().is_socket() => {
            bail!(
                "{} exists and is no socket: --control names another place",
                path.display()
            )
        }
        Ok(_) if UnixStream::connect(path).is_ok() => {
            bail!(
                "another daemon answers on {}: stop it, or name another place with --control",
                path.display()
            )
        }
        Ok(_) => std::fs::remove_file(path)
            .with_context(|| format!("can't remove the dead socket {}", path.display())),
    }
}

fn accept(listener: &UnixListener, stop: &AtomicBool, operator: &Arc<dyn Operator>) {
    let clients = Arc::new(AtomicUsize::new(0));
    for stream in listener.incoming() {
        if stop.load(Ordering::SeqCst) {
            return;
        }
        let stream = match stream {
            Ok(stream) => stream,
            Err(error) => {
                log::warn!("control socket: {error}");
                // Out of descriptors, most likely: give others time to close some.
                std::thread::sleep(Duration::from_millis(100));
                continue;
            }
        };
        if clients.fetch_add(1, Ordering::SeqCst) >= MAX_CLIENTS {
            clients.fetch_sub(1, Ordering::SeqCst);
            refuse(stream);
            continue;
        }
        let (operator, client) = (Arc::clone(operator), Arc::clone(&clients));
        let spawned = std::thread::Builder::new()
            .name("client".into())
            .spawn(move || {
                if let Err(error) = converse(stream, &*operator) {
                    log::debug!("control client: {error}");
                }
                client.fetch_sub(1, Ordering::SeqCst);
            });
        if let Err(error) = spawned {
            clients.fetch_sub(1, Ordering::SeqCst);
            log::warn!("can't serve a control client: {error}");
        }
    }
}

fn refuse(mut stream: UnixStream) {
    let message = format!("{MAX_CLIENTS} clients are being served already: try again");
    if let Err(error) = send(&mut stream, &Response::Error { message }) {
        log::debug!("control client: {error}");
    }
}

/// Answers one client's requests until it hangs up; one that can't be read is answered, then it ends.
fn converse(stream: UnixStream, operator: &dyn Operator) -> Result<(), Error> {
    stream.set_read_timeout(Some(CLIENT_TIMEOUT))?;
    stream.set_write_timeout(Some(CLIENT_TIMEOUT))?;
    let mut writer = stream.try_clone()?;
    let mut reader = BufReader::new(stream);
    loop {
        match receive(&mut reader) {
            Ok(None) => return Ok(()),
            Ok(Some(request)) => send(&mut writer, &operator.answer(request))?,
            Err(Error::Malformed(error)) => {
                send(
                    &mut writer,
                    &Response::Error {
                        message: format!("request not understood: {error}"),
                    },
                )?;
            }
            Err(Error::Broken(error)) if error.kind() == io::ErrorKind::InvalidData => {
                send(
                    &mut writer,
                    &Response::Error {
                        message: error.to_string(),
                    },
                )?;
                return writer.flush().map_err(Error::Broken);
            }
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pseudotape_control::call;
    use std::io::{BufRead, Read};

    struct Echo;

    impl Operator for Echo {
        fn answer(&self, request: Request) -> Response {
            Response::Done {
                message: format!("{request:?}"),
            }
        }
    }

    fn server() -> (tempfile::TempDir, PathBuf, ControlServer) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("run/control");
        let server = ControlServer::start(&path, 0o600, Arc::new(Echo)).unwrap();
        (directory, path, server)
    }

    fn raw(path: &Path, line: &[u8]) -> String {
        let mut stream = UnixStream::connect(path).unwrap();
        stream.write_all(line).unwrap();
        let mut answer = String::new();
        BufReader::new(stream).read_line(&mut answer).unwrap();
        answer
    }

    #[test]
    fn clients_are_answered_and_the_socket_is_removed() {
        let (_directory, path, server) = server();
        let answer = call(&path, &Request::Reset { drive: 3 }, CLIENT_TIMEOUT).unwrap();
        assert_eq!(
            answer,
            Response::Done {
                message: "Reset { drive: 3 }".into()
            }
        );
        drop(server);
        assert!(!path.exists());
    }

    #[test]
    fn malformed_requests_are_answered_with_the_reason() {
        let (_directory, path, _server) = server();
        assert!(raw(&path, b"{\"do\":\"dance\"}\n").contains("dance"));
        assert!(raw(&path, b"\xff\xfe\n").contains("not understood"));
        let long = vec![b'x'; pseudotape_control::MAX_LINE_BYTES as usize];
        assert!(raw(&path, &long).contains("longer than"));
    }

    #[test]
    fn one_client_more_than_the_limit_is_refused() {
        let (_directory, path, _server) = server();
        let idle: Vec<_> = (0..MAX_CLIENTS)
            .map(|_| UnixStream::connect(&path).unwrap())
            .collect();
        let mut one_more = String::new();
        UnixStream::connect(&path)
            .unwrap()
            .read_to_string(&mut one_more)
            .unwrap();
        assert!(one_more.contains("try again"), "{one_more}");
        drop(idle);
    }

    #[test]
    fn a_live_daemon_keeps_its_socket_and_a_dead_one_loses_it() {
        let (directory, path, _server) = server();
        let error = ControlServer::start(&path, 0o600, Arc::new(Echo))
            .err()
            .unwrap()
            .to_string();
        assert!(error.contains("another daemon answers"), "{error}");
        let dead = directory.path().join("dead");
        drop(UnixListener::bind(&dead).unwrap());
        assert!(dead.exists());
        let _server = ControlServer::start(&dead, 0o600, Arc::new(Echo)).unwrap();
        let file = directory.path().join("file");
        std::fs::write(&file, "x").unwrap();
        let error = ControlServer::start(&file, 0o600, Arc::new(Echo))
            .err()
            .unwrap()
            .to_string();
        assert!(error.contains("no socket"), "{error}");
    }
}
