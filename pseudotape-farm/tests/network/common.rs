//! A farm that is served over TLS, with authorities and certificates of its own.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use pseudotape_farm_net::{AccessList, AddOrder, Client, Error, How, TlsFiles, TlsHost};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    SanType, date_time_ymd,
};
use tempfile::TempDir;

use crate::shared::{make_tree, order, whole};

/// So long a test waits for what has to come, on a machine that is busy.
pub const LONG: Duration = Duration::from_secs(200);

/// Whom a certificate names, and until when.
#[derive(Clone, Copy)]
pub enum Of<'a> {
    /// A client, by its common name.
    Client(&'a str),
    /// A client, by its e-mail address.
    Mail(&'a str),
    /// A client that was one.
    Former(&'a str),
    /// The host 127.0.0.1.
    Host,
    /// That host, formerly.
    FormerHost,
    /// Another host.
    OtherHost(&'a str),
}

/// An authority.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    pub fn new(name: &str) -> Self {
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        let issuer = Issuer::new(params, key);
        Authority { issuer, pem }
    }

    /// A certificate and its key.
    fn issue(&self, of: Of<'_>) -> (String, String) {
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::ExplicitNoCa;
        let mut common = |name: &str| {
            params.distinguished_name = rcgen::DistinguishedName::new();
            params.distinguished_name.push(DnType::CommonName, name);
        };
        let mut names = Vec::new();
        let mut purpose = ExtendedKeyUsagePurpose::ClientAuth;
        match of {
            Of::Client(name) | Of::Former(name) => common(name),
            Of::Mail(name) => {
                common("somebody");
                names.push(SanType::Rfc822Name(name.try_into().unwrap()));
            }
            Of::Host | Of::FormerHost => {
                purpose = ExtendedKeyUsagePurpose::ServerAuth;
                names.push(SanType::IpAddress(Ipv4Addr::LOCALHOST.into()));
            }
            Of::OtherHost(name) => {
                purpose = ExtendedKeyUsagePurpose::ServerAuth;
                names.push(SanType::DnsName(name.try_into().unwrap()));
            }
        }
        params.subject_alt_names = names;
        params.extended_key_usages = vec![purpose];
        if matches!(of, Of::Former(_) | Of::FormerHost) {
            params.not_after = date_time_ymd(2020, 1, 1);
        }
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        (certificate.pem(), key.serialize_pem())
    }
}

/// A folder with a farm, a tree of files, and the files of both sides.
pub struct Place {
    folder: TempDir,
    pub authority: Authority,
}

impl Place {
    pub fn new() -> Self {
        let place = Place {
            folder: tempfile::tempdir().unwrap(),
            authority: Authority::new("An authority"),
        };
        fs::create_dir(place.root()).unwrap();
        let tree = place.path("tree");
        make_tree(&tree);
        place.write("ca.pem", &place.authority.pem);
        place.issue("host", Of::Host);
        place.issue("ada", Of::Client("ada@depot"));
        place
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn root(&self) -> PathBuf {
        self.path("farm")
    }

    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
        let mode = fs::Permissions::from_mode(0o600);
        fs::set_permissions(self.path(name), mode).unwrap();
    }

    /// Writes `NAME.pem` and `NAME.key`.
    pub fn issue(&self, name: &str, of: Of<'_>) {
        self.issue_by(&self.authority, name, of);
    }

    pub fn issue_by(&self, authority: &Authority, name: &str, of: Of<'_>) {
        let (certificate, key) = authority.issue(of);
        self.write(&format!("{name}.pem"), &certificate);
        self.write(&format!("{name}.key"), &key);
    }

    pub fn let_in(&self, person: &str) {
        let person = person.parse().unwrap();
        AccessList::change(&self.root(), |access| access.add(person)).unwrap();
    }

    pub fn files(&self, name: &str) -> TlsFiles {
        TlsFiles {
            cert: self.path(&format!("{name}.pem")),
            key: self.path(&format!("{name}.key")),
            authority: self.path("ca.pem"),
        }
    }

    fn program(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pseudotape-farm"));
        command.current_dir(self.folder.path()).args(words);
        command
    }

    pub fn run(&self, words: &[&str]) -> Output {
        self.program(words).output().unwrap()
    }

    /// A server on a free port.
    pub fn serve(&self, more: &[&str]) -> Server {
        let words = [
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--cert",
            "host.pem",
            "--key",
            "host.key",
            "--client-ca",
            "ca.pem",
            "--root",
            "farm",
        ];
        let mut command = self.program(&words);
        command
            .args(more)
            .env("RUST_LOG", "info")
            .stdin(Stdio::null())
            .stderr(Stdio::piped());
        Server::begin(command.spawn().unwrap())
    }

    pub fn order(&self, volume: &str, how: How) -> AddOrder {
        order(volume, how, &self.path("tree"))
    }

    /// How many files are in a volume, all of which are whole; nothing else is in its folder.
    pub fn check(&self, volume: &str) -> usize {
        whole(&self.root(), volume).len()
    }
}

/// A server, which ends with this.
pub struct Server {
    child: Child,
    log: Receiver<String>,
    heard: Vec<String>,
    pub port: u16,
}

impl Server {
    fn begin(mut child: Child) -> Self {
        let log = lines(child.stderr.take().unwrap());
        let mut server = Server {
            child,
            log,
            heard: Vec::new(),
            port: 0,
        };
        let line = server.hears("served on 127.0.0.1:");
        server.port = line.rsplit(':').next().unwrap().parse().unwrap();
        server
    }

    /// The next line of the log that has these words.
    pub fn hears(&mut self, words: &str) -> String {
        loop {
            match self.log.recv_timeout(LONG) {
                Ok(line) if line.contains(words) => return line,
                Ok(line) => self.heard.push(line),
                Err(_) => panic!("'{words}' is not in the log: {:#?}", self.heard),
            }
        }
    }

    pub fn host(&self) -> TlsHost {
        TlsHost {
            host: "127.0.0.1".into(),
            port: self.port,
            root: String::new(),
        }
    }

    pub fn reach(&self, files: &TlsFiles) -> Result<Client, Error> {
        Client::over_tls(&self.host(), files, |_| {})
    }

    /// Why somebody is not let in.
    pub fn refuses(&self, files: &TlsFiles) -> Error {
        match self.reach(files) {
            Ok(_) => panic!("it is let in"),
            Err(error) => error,
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

fn lines(stderr: ChildStderr) -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

/// The files of a folder, each with its contents.
pub fn tree(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(at) = folders.pop() {
        for entry in fs::read_dir(at).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false => files.push((
                    path.strip_prefix(folder).unwrap().to_owned(),
                    fs::read(&path).unwrap(),
                )),
            }
        }
    }
    files.sort();
    files
}

/// Waits for what comes by itself.
pub fn until(mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + LONG;
    while !is_so() {
        assert!(Instant::now() < end, "it does not come");
        std::thread::sleep(Duration::from_millis(20));
    }
}
