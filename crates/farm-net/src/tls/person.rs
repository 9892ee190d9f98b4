//! Whom a certificate names.

use rustls::pki_types::CertificateDer;
use x509_cert::Certificate;
use x509_cert::der::asn1::ObjectIdentifier;
use x509_cert::der::{Decode, Tag, Tagged};
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

use crate::access::{ANY, Person};

const COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");

/// What names nobody, with the way out.
const WAY_OUT: &str =
    "one that does has an e-mail address (subjectAltName) or a common name USER@HOST";

/// Whom a certificate names: its e-mail address, else its common name. Its authority answers for it.
pub(super) fn person(certificate: &CertificateDer<'_>) -> Result<Person, String> {
    let unreadable = || format!("the names in the client's certificate can't be read; {WAY_OUT}");
    let certificate = Certificate::from_der(certificate).map_err(|_| unreadable())?;
    let certificate = &certificate.tbs_certificate;
    let others = certificate.get::<SubjectAltName>();
    let others = others.map_err(|_| unreadable())?;
    let others = others.map_or_else(Vec::new, |(_, names)| names.0);
    let mut names: Vec<String> = others
        .iter()
        .filter_map(|name| match name {
            GeneralName::Rfc822Name(address) => Some(address.to_string()),
            _ => None,
        })
        .collect();
    if names.is_empty() {
        let parts = certificate.subject.0.iter();
        let parts = parts.flat_map(|part| part.0.iter());
        let common = parts.filter(|part| part.oid == COMMON_NAME);
        let text = common.map(|part| match part.value.tag() {
            Tag::Utf8String | Tag::PrintableString | Tag::Ia5String => {
                std::str::from_utf8(part.value.value())
                    .map(str::to_owned)
                    .map_err(|_| unreadable())
            }
            _ => Err(unreadable()),
        });
        names = text.collect::<Result<_, _>>()?;
    }
    match names.as_slice() {
        [] => Err(format!("the client's certificate names nobody; {WAY_OUT}")),
        [name] => {
            let said = pseudotape_human::printable(name);
            let person: Person = name.parse().map_err(|_| {
                format!("the client's certificate names '{said}', which is no USER@HOST; {WAY_OUT}")
            })?;
            // Nobody is to be advised to let everybody in.
            match name.split('@').any(|part| part.eq_ignore_ascii_case(ANY)) {
                true => Err(format!(
                    "the client's certificate names '{said}', and '{ANY}' stands for everybody; {WAY_OUT}"
                )),
                false => Ok(person),
            }
        }
        // Whose rights would count?
        several => Err(format!(
            "the client's certificate names {} people, and it has to be one's; {WAY_OUT}",
            several.len()
        )),
    }
}
