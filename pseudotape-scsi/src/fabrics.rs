//! Through what the drives are reached, from the options and the keys of the file.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use pseudotape_tcmu::{Fabric, Iscsi};

use crate::chap::read_chap;

/// Of iSCSI, by IANA.
const DEFAULT_PORT: u16 = 3260;
/// The naming authority is a domain that nobody has, which is kept for networks of one's own.
const IQN_BEGINS: &str = "iqn.2026-11.internal.pseudotape";
/// As long as iSCSI lets a name be.
const NAME_MAX_BYTES: usize = 223;

/// What the options and keys say, unchecked.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reached {
    pub(crate) local: bool,
    pub(crate) iscsi: Option<String>,
    pub(crate) iscsi_name: Option<String>,
    pub(crate) iscsi_chap: Option<PathBuf>,
    pub(crate) iscsi_initiators: Vec<String>,
    pub(crate) vhost: Option<String>,
}

impl Reached {
    /// Checks them. `name` is the daemon's.
    pub(crate) fn fabrics(self, name: &str) -> Result<Vec<Fabric>> {
        let mut fabrics = Vec::new();
        if self.local {
            fabrics.push(Fabric::Loopback);
        }
        let is_of_iscsi = self.iscsi_name.is_some() || self.iscsi_chap.is_some();
        match &self.iscsi {
            Some(portal) => fabrics.push(Fabric::Iscsi(Iscsi {
                portal: parse_portal(portal)?,
                name: match self.iscsi_name {
                    Some(name) => target_name(&name)?,
                    None => default_name(&host_name()?, name),
                },
                initiators: initiators(&self.iscsi_initiators)?,
                chap: match &self.iscsi_chap {
                    Some(path) => Some(read_chap(path).context("iscsi-chap")?),
                    None => None,
                },
            })),
            None => ensure!(
                !is_of_iscsi && self.iscsi_initiators.is_empty(),
                "'iscsi-name', 'iscsi-chap' and 'iscsi-initiator' are of an iSCSI target, and there is none: give --iscsi \
                 PORTAL"
            ),
        }
        if let Some(name) = self.vhost {
            fabrics.push(Fabric::Vhost(guest_name(name)?));
        }
        Ok(fabrics)
    }
}

fn parse_portal(text: &str) -> Result<SocketAddr> {
    let bare = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'));
    let address = bare.unwrap_or(text).parse::<IpAddr>();
    let portal = text
        .parse()
        .or_else(|_| address.map(|address| SocketAddr::new(address, DEFAULT_PORT)));
    let portal: SocketAddr = portal.ok().with_context(|| {
        format!(
            "iscsi '{text}' is no address of this machine with a port, such as 192.0.2.1:3260 or [2001:db8::1]:3260"
        )
    })?;
    ensure!(
        portal.port() != 0,
        "iscsi '{text}': initiators can't find port 0"
    );
    Ok(portal)
}

fn is_name(name: &str) -> bool {
    let is_good = |c: char| c.is_ascii_alphanumeric() || ['.', ':', '-', '_'].contains(&c);
    name.len() <= NAME_MAX_BYTES && name.chars().all(is_good)
}

fn is_iqn(name: &str) -> bool {
    // iqn.YYYY-MM.DOMAIN
    let shape = "iqn.0000-00.".bytes();
    let fits = shape.zip(name.bytes()).all(|(shape, byte)| match shape {
        b'0' => byte.is_ascii_digit(),
        shape => byte == shape,
    });
    fits && name.len() > "iqn.0000-00.".len()
}

/// iSCSI knows no capital letters: the kernel makes them small on both sides.
fn target_name(name: &str) -> Result<String> {
    let name = name.to_ascii_lowercase();
    ensure!(
        is_name(&name) && is_iqn(&name),
        "iscsi-name '{name}' is no name of a target, such as iqn.2026-11.com.example:tapes (letters, digits, '.', ':', '-')"
    );
    Ok(name)
}

fn initiators(names: &[String]) -> Result<Vec<String>> {
    let mut known: Vec<String> = Vec::new();
    for name in names {
        let name = name.to_ascii_lowercase();
        let is_other = ["eui.", "naa."].iter().any(|kind| name.starts_with(kind));
        ensure!(
            is_name(&name) && (is_iqn(&name) || is_other),
            "iscsi-initiator '{name}' is no name of an initiator, such as iqn.2026-11.com.example:host: it is in \
             /etc/iscsi/initiatorname.iscsi there"
        );
        if !known.contains(&name) {
            known.push(name);
        }
    }
    Ok(known)
}

fn guest_name(name: String) -> Result<String> {
    let digits = name.strip_prefix("naa.").unwrap_or_default();
    ensure!(
        digits.len() == 16 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()),
        "vhost '{name}' is no name of a host: naa. and 16 hexadecimal digits, such as naa.5001405000000001"
    );
    Ok(name)
}

fn host_name() -> Result<String> {
    let path = "/proc/sys/kernel/hostname";
    let name = std::fs::read_to_string(path);
    name.context("can't read this machine's name, which is part of the target's: give --iscsi-name")
}

fn default_name(host: &str, name: &str) -> String {
    let host = host.trim_end();
    let small = format!("{IQN_BEGINS}:{host}.{name}").to_ascii_lowercase();
    let kept = small.chars().map(|c| match c {
        c if is_name(c.encode_utf8(&mut [0; 4])) && c != '_' => c,
        _ => '-',
    });
    kept.take(NAME_MAX_BYTES).collect()
}

/// What the log warns of: whom an iSCSI target lets in. `None`: nothing.
pub(crate) fn exposure(iscsi: &Iscsi) -> Option<String> {
    let Iscsi { portal, .. } = iscsi;
    match (&iscsi.chap, iscsi.initiators.is_empty()) {
        (Some(_), _) => None,
        (None, true) => Some(format!(
            "everybody who reaches {portal} can read and write the tapes: --iscsi-chap FILE asks for a secret"
        )),
        (None, false) => Some(format!(
            "everybody who reaches {portal} and gives himself the name of an initiator can read and write the tapes: \
             --iscsi-chap FILE asks for a secret"
        )),
    }
}

/// Where a fabric's targets are, for standard output; `None` where each drive says so.
pub(crate) fn in_words(fabric: &Fabric) -> Option<String> {
    match fabric {
        Fabric::Loopback => None,
        Fabric::Iscsi(iscsi) => {
            let who = match iscsi.initiators.as_slice() {
                [] => "any initiator".to_owned(),
                names => names.join(" "),
            };
            let how = match &iscsi.chap {
                None => "without a secret".to_owned(),
                Some(chap) => {
                    let both = chap.target.as_ref().map_or("", |_| ", which hears ours");
                    format!("with the secret of {}{both}", chap.initiator.user)
                }
            };
            Some(format!(
                "iscsi: {} at {} ({who}, {how})",
                iscsi.name, iscsi.portal
            ))
        }
        Fabric::Vhost(name) => Some(format!(
            "vhost: qemu-system-x86_64 ... -device vhost-scsi-pci,wwpn={name}"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_portal_is_an_address_and_a_port() {
        for (text, portal) in [
            ("192.0.2.1:860", "192.0.2.1:860"),
            ("192.0.2.1", "192.0.2.1:3260"),
            ("[::1]:860", "[::1]:860"),
            ("[::1]", "[::1]:3260"),
            ("::", "[::]:3260"),
        ] {
            assert_eq!(parse_portal(text).unwrap().to_string(), portal);
        }
        for text in [
            "",
            "host",
            "host:3260",
            "192.0.2.1:",
            "192.0.2.1:70000",
            ":3260",
            "[::1",
            "1.2.3.4:0",
        ] {
            let told = format!("{:#}", parse_portal(text).unwrap_err());
            assert!(told.contains(&format!("iscsi '{text}'")), "{told}");
        }
    }

    #[test]
    fn names_are_those_of_iscsi() {
        let reached = |change: &dyn Fn(&mut Reached)| {
            let mut reached = Reached {
                iscsi: Some("127.0.0.1".to_owned()),
                ..Reached::default()
            };
            change(&mut reached);
            reached.fabrics("pseudotape")
        };
        let name = |name: &str| reached(&|reached| reached.iscsi_name = Some(name.to_owned()));
        let Fabric::Iscsi(iscsi) = &name("IQN.2026-11.com.Example:x").unwrap()[0] else {
            panic!("no iSCSI")
        };
        assert_eq!(iscsi.name, "iqn.2026-11.com.example:x");
        for bad in [
            "",
            "tapes",
            "iqn.2026-11.",
            "iqn.26-11.x",
            "iqn.2026-11.a/b",
            "naa.5001405000000001",
        ] {
            assert!(
                format!("{:#}", name(bad).unwrap_err()).contains("iscsi-name"),
                "{bad}"
            );
        }
        let many = format!("iqn.2026-11.{}", "x".repeat(220));
        assert!(name(&many).is_err());
        let initiator =
            |name: &str| reached(&|reached| reached.iscsi_initiators.push(name.to_owned()));
        assert!(initiator("iqn.1993-08.org.debian:01:abc").is_ok());
        assert!(initiator("eui.02004567A425678D").is_ok());
        for bad in ["", "host", "iqn.2026-11.a b", "../x"] {
            assert!(
                format!("{:#}", initiator(bad).unwrap_err()).contains("iscsi-initiator"),
                "{bad}"
            );
        }
        let guest = |name: &str| reached(&|reached| reached.vhost = Some(name.to_owned()));
        assert_eq!(guest("naa.5001405000000001").unwrap().len(), 2);
        for bad in [
            "",
            "naa.",
            "naa.500140500000000g",
            "naa.50014050000000010",
            "5001405000000001",
        ] {
            assert!(
                format!("{:#}", guest(bad).unwrap_err()).contains("vhost"),
                "{bad}"
            );
        }
        let lost = Reached {
            iscsi_initiators: vec!["iqn.2026-11.com.example:host".to_owned()],
            ..Reached::default()
        };
        assert!(format!("{:#}", lost.fabrics("x").unwrap_err()).contains("--iscsi PORTAL"));
    }

    #[test]
    fn a_name_is_made_of_the_host_and_the_daemon() {
        let made = |host: &str, name: &str| default_name(host, name);
        assert_eq!(
            made("Tapes.example\n", "a_1"),
            format!("{IQN_BEGINS}:tapes.example.a-1")
        );
        assert_eq!(made("ä b", "x"), format!("{IQN_BEGINS}:--b.x"));
        let long = made(&"h".repeat(300), "x");
        assert!(is_name(&long) && is_iqn(&long));
    }

    #[test]
    fn whom_it_lets_in_is_said_plainly() {
        let account = |user: &str| pseudotape_tcmu::Account {
            user: user.to_owned(),
            secret: "secret-of-it".to_owned(),
        };
        let mut iscsi = Iscsi {
            name: "iqn.2026-11.com.example:tapes".to_owned(),
            portal: "192.0.2.1:3260".parse().unwrap(),
            initiators: Vec::new(),
            chap: None,
        };
        assert!(
            exposure(&iscsi)
                .unwrap()
                .starts_with("everybody who reaches 192.0.2.1:3260 can")
        );
        let told = in_words(&Fabric::Iscsi(iscsi.clone())).unwrap();
        assert!(
            told.ends_with("(any initiator, without a secret)"),
            "{told}"
        );
        iscsi
            .initiators
            .push("iqn.2026-11.com.example:host".to_owned());
        assert!(exposure(&iscsi).unwrap().contains("gives himself the name"));
        iscsi.chap = Some(pseudotape_tcmu::Chap {
            initiator: account("host"),
            target: Some(account("tape")),
        });
        assert_eq!(exposure(&iscsi), None);
        let told = in_words(&Fabric::Iscsi(iscsi)).unwrap();
        assert!(
            told.ends_with("example:host, with the secret of host, which hears ours)"),
            "{told}"
        );
        let guest = in_words(&Fabric::Vhost("naa.5001405000000001".to_owned())).unwrap();
        assert!(guest.ends_with("-device vhost-scsi-pci,wwpn=naa.5001405000000001"));
    }
}
