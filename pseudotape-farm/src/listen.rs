//! Listening: for each connection a process of its own, so that the end of one touches no other.

use std::io::{self, stdin};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use nix::sys::resource::{Resource, setrlimit};
use pseudotape_control::Readiness;
use pseudotape_farm_net::{Accepted, Served, Serving, TlsFiles, TlsServer, refuse, serve};

use crate::cli::ServeOptions;
use crate::{PROGRAM, Verdict};

/// This program, also where a later one has its name meanwhile.
const SELF: &str = "/proc/self/exe";
/// So long it waits where the host can't make a connection, or a process, just now.
const PAUSE: Duration = Duration::from_millis(200);

/// Listens until it is ended. Sessions that are under way then go on.
pub(crate) fn run(options: &ServeOptions, at: SocketAddr, roots: &[PathBuf]) -> Result<Verdict> {
    let files = files(options)?;
    // Whoever starts the service hears of it, and not the first client.
    TlsServer::new(&files)?;
    options.allowed_commands()?;
    options.hook()?;
    let listener = TcpListener::bind(at).with_context(|| {
        format!(
            "can't listen on {at}: another service may have the port, or the host not the address"
        )
    })?;
    let at = listener.local_addr()?;
    // Without a right to write into a root its volumes do not become private either.
    let serve_root = match options.private {
        true => Serving::begin_privately,
        false => Serving::begin,
    };
    let serving: Vec<_> = roots.iter().map(|root| serve_root(root)).collect();
    let failed = serving.iter().filter_map(|serving| serving.as_ref().err());
    failed.for_each(|error| log::debug!("{error}"));
    for root in roots {
        Serving::expect_no_other(root, options.private)?;
    }
    let names: Vec<_> = roots
        .iter()
        .map(|root| root.display().to_string())
        .collect();
    log::info!("{} served on {at}", names.join(", "));
    Readiness::default().announce();
    let sessions = Arc::new(());
    loop {
        let (socket, from) = match listener.accept() {
            Ok(accepted) => accepted,
            Err(error) => {
                log::warn!("a connection was not made: {error}");
                std::thread::sleep(PAUSE);
                continue;
            }
        };
        // Each session has a share of it, and the listener has one.
        if Arc::strong_count(&sessions) > options.sessions {
            log::warn!(
                "{from}: hung up, since {} sessions are under way (--sessions)",
                options.sessions
            );
            continue;
        }
        if let Err(error) = begin(socket, from, options, roots, Arc::clone(&sessions)) {
            log::error!("{from}: no session: {error}");
            std::thread::sleep(PAUSE);
        }
    }
}

/// Begins the process of a session, and a thread that hears of its end.
fn begin(
    socket: TcpStream,
    from: SocketAddr,
    options: &ServeOptions,
    roots: &[PathBuf],
    share: Arc<()>,
) -> io::Result<()> {
    let mut command = Command::new(SELF);
    command.arg0(PROGRAM).args(["serve", "--accepted"]);
    for root in roots {
        command.arg("--root").arg(root);
    }
    if options.private {
        command.arg("--private");
    }
    if options.commands.is_some() {
        let seconds = options.command_seconds.to_string();
        command.args(["--command-seconds", &seconds]);
    }
    if let Some(user) = &options.commands_user {
        command.args(["--commands-user", user]);
    }
    if let Some(script) = &options.script {
        let seconds = options.script_seconds.to_string();
        // It can begin with a dash.
        command.arg(format!("--script={script}"));
        command.args(["--script-seconds", &seconds]);
    }
    if let Some(user) = &options.script_user {
        command.args(["--script-user", user]);
    }
    let files = [
        ("--commands", &options.commands),
        ("--cert", &options.cert),
        ("--key", &options.key),
        ("--client-ca", &options.client_ca),
    ];
    for (name, file) in files {
        if let Some(file) = file {
            command.arg(name).arg(file);
        }
    }
    command
        .stdin(Stdio::from(OwnedFd::from(socket)))
        .stdout(Stdio::null());
    let mut session = command.spawn()?;
    let waiting = std::thread::Builder::new().name("session".into());
    waiting.spawn(move || wait(&mut session, from, &share))?;
    Ok(())
}

fn wait(session: &mut Child, from: SocketAddr, _share: &Arc<()>) {
    let id = session.id();
    match session.wait() {
        // What went wrong it has said itself.
        Ok(status) if status.code().is_some() => log::debug!("{from}: session {id}: {status}"),
        Ok(status) => log::warn!("{from}: session {id} was ended: {status}"),
        Err(error) => log::warn!("{from}: session {id}: {error}"),
    }
}

fn files(options: &ServeOptions) -> Result<TlsFiles> {
    let file = |name: &str, path: &Option<PathBuf>| {
        let path = path.as_deref().map(Path::to_owned);
        path.with_context(|| format!("--listen needs {name} FILE"))
    };
    Ok(TlsFiles {
        cert: file("--cert", &options.cert)?,
        key: file("--key", &options.key)?,
        authority: file("--client-ca", &options.client_ca)?,
    })
}

/// The session of a connection, which is standard input. Its files are read for it: so they can be renewed.
pub(crate) fn accepted(options: &ServeOptions, roots: Vec<PathBuf>) -> Result<Verdict> {
    // What lists processes would else show the name of the link by which it was started.
    nix::sys::prctl::set_name(c"pseudotape-farm").ok();
    // Its memory has the key.
    setrlimit(Resource::RLIMIT_CORE, 0, 0).context("can't do without core files")?;
    let socket = TcpStream::from(stdin().as_fd().try_clone_to_owned()?);
    let peer = socket.peer_addr();
    let peer = peer.context("--accepted is for 'serve --listen', which begins its sessions so")?;
    let server = TlsServer::new(&files(options)?)?;
    let accepted = server.accept(socket);
    let Accepted { link, person } = match accepted {
        Ok(accepted) => accepted,
        Err(error) => {
            log::warn!("{peer}: no session: {error}");
            return Ok(Verdict::OutOfOrder);
        }
    };
    let done = match person {
        Ok(person) => {
            log::info!("{peer}: {person}");
            let way = format!("tls {peer}");
            let privately = options.private;
            let served = Served {
                roots,
                person,
                privately,
                commands: options.allowed_commands()?,
                hook: options.hook()?,
                way,
            };
            serve(link, &served)
        }
        Err(text) => refuse(link, text),
    };
    Ok(match done {
        Ok(()) => Verdict::Well,
        Err(error) => {
            log::warn!("{peer}: {error}");
            Verdict::OutOfOrder
        }
    })
}
