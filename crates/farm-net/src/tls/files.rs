//! The files of a side: its certificate, its key, and the authorities that it takes certificates of.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nix::unistd::geteuid;
use rustls::RootCertStore;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// The longest of these files that is read.
const MAX_FILE_BYTES: u64 = 4 << 20;

/// Where they are, in PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate of this side, and behind it those between it and its authority.
    pub cert: PathBuf,
    /// The private key of the certificate.
    pub key: PathBuf,
    /// The certificates of the authorities that sign those of the other side.
    pub authority: PathBuf,
}

/// A file that is of no use.
#[derive(Debug, thiserror::Error)]
#[error("{}: {why}", path.display())]
pub struct UnfitFile {
    path: PathBuf,
    why: String,
}

impl UnfitFile {
    pub(super) fn new(path: &Path, why: impl Into<String>) -> Self {
        UnfitFile {
            path: path.to_owned(),
            why: why.into(),
        }
    }
}

type Own = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

impl TlsFiles {
    /// The certificate of this side with its key.
    pub(super) fn own(&self) -> Result<Own, UnfitFile> {
        let certificates = certificates(&self.cert)?;
        let bytes = read(&self.key, Some(private))?;
        let key = PrivateKeyDer::from_pem_slice(&bytes);
        let key = key.map_err(|error| unreadable(&self.key, "private key", &error))?;
        Ok((certificates, key))
    }

    /// Those whose signature counts.
    pub(super) fn authorities(&self) -> Result<Arc<RootCertStore>, UnfitFile> {
        let mut store = RootCertStore::empty();
        for certificate in certificates(&self.authority)? {
            let added = store.add(certificate);
            added.map_err(|error| {
                let why = format!("a certificate in it can't be that of an authority: {error}");
                UnfitFile::new(&self.authority, why)
            })?;
        }
        Ok(Arc::new(store))
    }

    /// A library's word on the certificate and its key.
    pub(super) fn refused(&self, error: &rustls::Error) -> UnfitFile {
        match error {
            rustls::Error::InconsistentKeys(_) => UnfitFile::new(
                &self.key,
                format!(
                    "it is not the key of the certificate {}",
                    self.cert.display()
                ),
            ),
            error => UnfitFile::new(&self.cert, error.to_string()),
        }
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, UnfitFile> {
    let bytes = read(path, None)?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    let certificates = certificates.map_err(|error| unreadable(path, "certificate", &error))?;
    match certificates.is_empty() {
        true => Err(unreadable(path, "certificate", &pem::Error::NoItemsFound)),
        false => Ok(certificates),
    }
}

fn unreadable(path: &Path, what: &str, error: &pem::Error) -> UnfitFile {
    let why = match error {
        pem::Error::NoItemsFound => {
            format!("there is no {what} in it: it begins with '-----BEGIN', and has no password")
        }
        error => format!("it can't be read as a {what}: {error}"),
    };
    UnfitFile::new(path, why)
}

type Check = fn(&fs::Metadata) -> Result<(), String>;

fn read(path: &Path, check: Option<Check>) -> Result<Vec<u8>, UnfitFile> {
    use std::io::Read;
    use std::os::unix::fs::OpenOptionsExt;
    let failed = |error: io::Error| UnfitFile::new(path, error.to_string());
    // A FIFO is not waited for.
    let how = nix::fcntl::OFlag::O_NONBLOCK.bits();
    let file = fs::OpenOptions::new()
        .read(true)
        .custom_flags(how)
        .open(path)
        .map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    if !metadata.is_file() {
        return Err(UnfitFile::new(path, "it is no regular file"));
    }
    if let Some(check) = check {
        check(&metadata).map_err(|why| UnfitFile::new(path, why))?;
    }
    let mut bytes = Vec::new();
    file.take(MAX_FILE_BYTES)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    Ok(bytes)
}

/// A key is read by its owner only; one that is root's can be lent to a group, as systemd lends it to a service.
fn private(metadata: &fs::Metadata) -> Result<(), String> {
    let (owner, mode) = (metadata.uid(), metadata.mode() & 0o777);
    if owner != 0 && owner != geteuid().as_raw() {
        return Err("a key that belongs to somebody else is not taken".to_owned());
    }
    let allowed = if owner == 0 { 0o740 } else { 0o700 };
    match mode & !allowed {
        0 => Ok(()),
        _ => Err(format!(
            "others may use this key (its mode is {mode:04o}): 'chmod 600' closes it"
        )),
    }
}
