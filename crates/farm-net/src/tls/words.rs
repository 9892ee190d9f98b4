//! What went wrong between two certificates, and the way out.

use std::path::Path;

use rustls::pki_types::UnixTime;
use rustls::{AlertDescription, CertificateError, Error, PeerIncompatible};

const HOUR: u64 = 60 * 60;
const DAY: u64 = 24 * HOUR;

/// A span, as far as it matters for a certificate.
fn span(from: UnixTime, to: UnixTime) -> String {
    let seconds = to.as_secs().saturating_sub(from.as_secs());
    let (number, unit) = match (seconds / DAY, seconds / HOUR) {
        (0, 0) => return "less than an hour".to_owned(),
        (0, hours) => (hours, "hour"),
        (days, _) => (days, "day"),
    };
    format!("{number} {unit}{}", if number == 1 { "" } else { "s" })
}

/// Why a certificate of the other side is not taken. `authority` is the file of those that this side knows.
fn certificate(error: &CertificateError, authority: &Path) -> String {
    match error {
        CertificateError::ExpiredContext { time, not_after } => format!(
            "it expired {} ago: renew it there (or set the clock of this host)",
            span(*not_after, *time)
        ),
        CertificateError::Expired => {
            "it has expired: renew it there (or set the clock of this host)".to_owned()
        }
        CertificateError::NotValidYetContext { time, not_before } => format!(
            "it is valid in {} only: the clock of this host or that of its authority is wrong",
            span(*time, *not_before)
        ),
        CertificateError::NotValidYet => {
            "it is not valid yet: the clock of this host or that of its authority is wrong"
                .to_owned()
        }
        CertificateError::UnknownIssuer => format!(
            "none of the authorities in {} signed it: is that the right file, and are the certificates between them sent?",
            authority.display()
        ),
        CertificateError::BadSignature => format!(
            "its signature is not that of the authority of this name in {}: is that the right file?",
            authority.display()
        ),
        CertificateError::NotValidForNameContext {
            expected,
            presented,
        } => {
            let presented: Vec<_> = presented.iter().map(|name| name_in(name)).collect();
            let names = match presented.as_slice() {
                [] => "no name of a host (subjectAltName)".to_owned(),
                names => names.join(", "),
            };
            format!(
                "it is for {names}, and not for {}: say the host as it stands in its certificate",
                expected.to_str()
            )
        }
        CertificateError::InvalidPurposeContext { .. } | CertificateError::InvalidPurpose => {
            "it is made for another purpose (its extendedKeyUsage): a server's has serverAuth, and a client's clientAuth"
                .to_owned()
        }
        error => error.to_string(),
    }
}

/// `DnsName("far")` as the library has it is `far`.
fn name_in(text: &str) -> String {
    let inner = text
        .split_once("(\"")
        .and_then(|(_, rest)| rest.split_once("\")"));
    pseudotape_human::printable(inner.map_or(text, |(name, _)| name))
}

/// What the client says. `cert` and `authority` are its own files.
pub(super) fn for_client(error: &Error, cert: &Path, authority: &Path) -> String {
    let own = format!("it does not take the certificate {}", cert.display());
    match error {
        Error::InvalidCertificate(why) => {
            format!("its certificate is refused: {}", certificate(why, authority))
        }
        Error::AlertReceived(AlertDescription::CertificateExpired) => {
            format!("{own}: it has expired, or is not valid yet. Renew it, or set the clocks")
        }
        Error::AlertReceived(AlertDescription::UnknownCA) => {
            format!("{own}: the server's --client-ca does not have its authority")
        }
        Error::AlertReceived(AlertDescription::DecryptError) => {
            format!("{own}: its authority is not the one of that name in the server's --client-ca")
        }
        Error::AlertReceived(AlertDescription::UnsupportedCertificate) => {
            format!("{own}: its purpose (extendedKeyUsage) has to have clientAuth")
        }
        Error::AlertReceived(
            AlertDescription::BadCertificate
            | AlertDescription::CertificateUnknown
            | AlertDescription::CertificateRequired
            | AlertDescription::AccessDenied,
        ) => format!("{own}; the log of the server says why"),
        Error::AlertReceived(AlertDescription::ProtocolVersion)
        | Error::PeerIncompatible(
            PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig
            | PeerIncompatible::ServerDoesNotSupportTls12Or13
            | PeerIncompatible::Tls12NotOfferedOrEnabled,
        ) => "it speaks no TLS 1.3, which this program asks for: is it a farm's server?".to_owned(),
        Error::InvalidMessage(_) => {
            "what answers there speaks no TLS: is the port that of 'pseudotape-farm serve --listen'?"
                .to_owned()
        }
        error => error.to_string(),
    }
}

/// What the server's log says of a client. `authority` is its `--client-ca`.
pub(super) fn for_server(error: &Error, authority: &Path) -> String {
    match error {
        Error::NoCertificatesPresented => "it has no certificate".to_owned(),
        Error::InvalidCertificate(why) => {
            format!(
                "its certificate is refused: {}",
                certificate(why, authority)
            )
        }
        Error::AlertReceived(AlertDescription::UnknownCA) => {
            "it does not know the authority that signed this server's certificate".to_owned()
        }
        Error::AlertReceived(AlertDescription::CertificateExpired) => {
            "it says that this server's certificate has expired, or is not valid yet".to_owned()
        }
        Error::AlertReceived(
            AlertDescription::BadCertificate
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnsupportedCertificate,
        ) => "it does not take this server's certificate: the host that it was asked for may be another one".to_owned(),
        Error::AlertReceived(alert) => {
            format!("it does not go on, by alert {} of TLS", u8::from(*alert))
        }
        Error::PeerIncompatible(_) => "it speaks no TLS 1.3".to_owned(),
        Error::InvalidMessage(_) => "it speaks no TLS".to_owned(),
        error => error.to_string(),
    }
}
