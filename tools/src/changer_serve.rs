//! `pseudotape changer serve`: a changer for other hosts, by the protocol of docs/REMOTE-CHANGER.md.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::num::NonZeroUsize;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use clap::Parser;
use pseudotape_changer::{ChangerServer, serve_changer};
use pseudotape_control::{Purpose, Socket, SocketGroup};
use pseudotape_human::{explain, printable};
use pseudotape_rack::{ChangerPlace, OpenChanger};
use pseudotape_rmt::Channel;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// How long a client may take to say who it is: it takes the place of another one.
const GREETING: Duration = Duration::from_secs(60);
/// Then it may be silent: it is the hand of a daemon, which may have nothing to move for months.
const SILENCE: Duration = Duration::from_secs(10 * 365 * 24 * 3600);
const EXIT_FAILED: u8 = 2;

const EXAMPLES: &str = "\
Examples:
  command=\"pseudotape changer serve -f /run/pseudotape/control\" ssh-ed25519 ... (in authorized_keys)
  pseudotape changer serve -f sg:/dev/sch0 --listen /run/changer.socket
  command=\"pseudotape changer serve -f remote-socket:/run/changer.socket\" ssh-ed25519 ...

Elsewhere these are remote:HOST and remote-socket:PATH. Whoever can connect may move cartridges, and can take none out.

Exit codes: 0, the client hung up or a signal came; 2, there is nothing to serve, or wrong usage.";

/// Serves a changer to other hosts: one client on standard input and output, or several with --listen.
#[derive(Debug, Parser)]
#[command(name = "pseudotape changer serve", after_help = EXAMPLES, max_term_width = 100)]
struct ServeChanger {
    /// The control socket of a daemon, or SOCKET/NAME for one of its libraries; or library:SOCKET, remote:HOST,
    /// remote-socket:PATH, sg:NODE [default: as for 'pseudotape changer'].
    #[arg(short = 'f', long = "changer", value_name = "CHANGER")]
    changer: Option<String>,

    /// Serves several clients on a Unix socket (a path), which only its owner may use, or on a loopback address
    /// (127.0.0.1:PORT), which everybody on this machine may.
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,

    /// How many clients --listen serves at a time; one more is refused.
    #[arg(long, value_name = "NUMBER", default_value = "16", requires = "listen")]
    max_clients: NonZeroUsize,
}

/// Does what stands behind `pseudotape changer serve`; `device` is the changer where none is named.
pub(crate) fn run(words: &[String], device: PathBuf) -> ExitCode {
    let name = ["pseudotape changer serve".to_owned()];
    let options = match ServeChanger::try_parse_from(name.iter().chain(words)) {
        Ok(options) => options,
        Err(error) => {
            // Nobody is left to be told that nobody hears.
            error.print().ok();
            return u8::try_from(error.exit_code()).map_or(ExitCode::FAILURE, ExitCode::from);
        }
    };
    match served(options, device) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!(
                "pseudotape changer serve: {}",
                printable(&explain(error.chain()))
            );
            ExitCode::from(EXIT_FAILED)
        }
    }
}

fn served(options: ServeChanger, device: PathBuf) -> Result<()> {
    let place = match &options.changer {
        Some(text) if ChangerPlace::is_one(text) => text.parse()?,
        Some(text) => ChangerPlace::library(Path::new(text)),
        None => match device.to_str().filter(|text| ChangerPlace::is_one(text)) {
            Some(text) => text.parse()?,
            None => ChangerPlace::library(&device),
        },
    };
    match options.listen {
        Some(address) => listen(&place, &address, options.max_clients.get()),
        None => bridge(&place),
    }
}

/// The answer to a client that is not served.
fn refusal(why: &str) -> String {
    serde_json::json!({ "refused": why }).to_string() + "\n"
}

/// Connects standard input and output to whoever has the changer. There all connections of a client meet, and the
/// newest one ends the older ones.
fn bridge(place: &ChangerPlace) -> Result<()> {
    let mut output = File::from(io::stdout().as_fd().try_clone_to_owned()?);
    let refused = |output: &mut File, why: String| -> Result<()> {
        output.write_all(refusal(&why).as_bytes())?;
        bail!("{why}");
    };
    if place.is_node() {
        let why = format!(
            "{place}: two clients of a node would know nothing of each other: serve it with --listen, and that socket \
             here (-f remote-socket:PATH)"
        );
        return refused(&mut output, why);
    }
    let mut link = match place.link() {
        Ok(link) => link,
        Err(error) => return refused(&mut output, format!("{place}: {error}")),
    };
    link.set_patience(SILENCE)?;
    let mut to_server = link.sender()?;
    let mut input = File::from(io::stdin().as_fd().try_clone_to_owned()?);
    thread::spawn(move || {
        if let Err(error) = forward(&mut input, &mut to_server) {
            log::error!("sending to the changer: {error}");
        }
        // The server sees the end of its client, and does the move in hand to its end.
    });
    forward(&mut link, &mut output).context("receiving from the changer")
}

/// Passes on what comes as soon as it comes.
fn forward(from: &mut impl Read, to: &mut impl Write) -> io::Result<()> {
    let mut buffer = vec![0; 1 << 16];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(some) => to.write_all(buffer.get(..some).unwrap_or(&[]))?,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Where clients come.
enum Door {
    Unix(Socket),
    Tcp(TcpListener),
}

impl Door {
    fn open(address: &str) -> Result<Door> {
        if address.contains('/') {
            let purpose = Purpose {
                what: "the changer",
                option: "--listen",
                mode: 0o600,
                group: SocketGroup::Own,
            };
            return Ok(Door::Unix(Socket::listen(Path::new(address), purpose)?));
        }
        let at: SocketAddr = address.parse().with_context(|| {
            format!("--listen {address}: neither a path nor an address such as 127.0.0.1:7000")
        })?;
        ensure!(
            at.ip().is_loopback(),
            "--listen {address}: the protocol knows no passwords, so only loopback addresses are served; let ssh bring \
             clients from elsewhere"
        );
        let listener = TcpListener::bind(at);
        let listener = listener.with_context(|| format!("can't listen on {address}"))?;
        Ok(Door::Tcp(listener))
    }

    fn name(&self, address: &str) -> io::Result<String> {
        Ok(match self {
            Door::Unix(_) => address.to_owned(),
            Door::Tcp(listener) => listener.local_addr()?.to_string(),
        })
    }

    fn next(&self) -> io::Result<Channel> {
        match self {
            Door::Unix(socket) => Ok(Channel::from(socket.listener.accept()?.0)),
            Door::Tcp(listener) => Channel::over_tcp(listener.accept()?.0),
        }
    }
}

type Server = Arc<Mutex<ChangerServer<OpenChanger>>>;

fn listen(place: &ChangerPlace, address: &str, max_clients: usize) -> Result<()> {
    let signals = Signals::new([SIGTERM, SIGINT, SIGHUP]).context("can't listen for signals")?;
    let changer = place.open().with_context(|| place.to_string())?;
    let server: Server = Arc::new(Mutex::new(ChangerServer::new(changer)));
    let door = Arc::new(Door::open(address)?);
    println!("listening: {}", door.name(address)?);
    let (at_end, path) = (Arc::clone(&server), address.to_owned());
    let is_path = matches!(*door, Door::Unix(_));
    thread::spawn(move || end_by_signal(signals, &at_end, is_path.then_some(path)));
    let clients = Arc::new(AtomicUsize::new(0));
    loop {
        let link = match door.next() {
            Ok(link) => link,
            Err(error) => {
                log::warn!("waiting for clients: {error}");
                // Out of descriptors, most likely: give others time to close some.
                thread::sleep(Duration::from_millis(100));
                continue;
            }
        };
        if clients.fetch_add(1, Ordering::SeqCst) >= max_clients {
            clients.fetch_sub(1, Ordering::SeqCst);
            let why = format!("{max_clients} clients are being served already: try again");
            turn_away(link, &why);
            continue;
        }
        let (server, served) = (Arc::clone(&server), Arc::clone(&clients));
        let spawned = thread::Builder::new().spawn(move || {
            if let Err(error) = serve_one(&server, link) {
                log::warn!("a client: {error}");
            }
            served.fetch_sub(1, Ordering::SeqCst);
        });
        if let Err(error) = spawned {
            clients.fetch_sub(1, Ordering::SeqCst);
            log::error!("no room for a client: {error}");
        }
    }
}

/// Ends the process when a signal comes, after the move in hand.
fn end_by_signal(mut signals: Signals, server: &Server, socket: Option<String>) {
    if signals.forever().next().is_some() {
        let _hand = server.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(Err(error)) = socket.map(std::fs::remove_file) {
            log::debug!("the socket: {error}");
        }
        std::process::exit(0);
    }
}

fn turn_away(mut link: Channel, why: &str) {
    log::warn!("a client was refused: {why}");
    if let Err(error) = link.write_all(refusal(why).as_bytes()) {
        log::debug!("a client: {error}");
    }
}

fn serve_one(server: &Server, link: Channel) -> io::Result<()> {
    link.set_patience(GREETING)?;
    let greeted = false;
    serve_changer(server, Newcomer { link, greeted })
}

/// A client whose time is limited until it was answered once.
struct Newcomer {
    link: Channel,
    greeted: bool,
}

impl Read for Newcomer {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.link.read(buffer)
    }
}

impl Write for Newcomer {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        if !self.greeted {
            self.link.set_patience(SILENCE)?;
            self.greeted = true;
        }
        self.link.write(data)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.link.flush()
    }
}
