//! A target of the kernel's iSCSI target: where it listens, and whom it lets in.

use std::net::SocketAddr;
use std::path::Path;

use crate::configfs::{ConfigFs, TreeError, ensure, links_in, remove};

/// What a target is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Iscsi {
    /// Its name, of the kind `iqn.`.
    pub name: String,
    /// Where it listens.
    pub portal: SocketAddr,
    /// The names of the initiators that may log in; empty: all.
    pub initiators: Vec<String>,
    /// What an initiator has to know; `None`: nothing.
    pub chap: Option<Chap>,
}

/// A user and a secret, by CHAP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chap {
    /// Whom the initiator has to be.
    pub initiator: Account,
    /// Whom the target says that it is, to an initiator that asks.
    pub target: Option<Account>,
}

/// A name, and the secret that goes with it.
#[derive(Clone, PartialEq, Eq)]
pub struct Account {
    /// The name.
    pub user: String,
    /// The secret.
    pub secret: String,
}

// Secrets are in no log.
impl std::fmt::Debug for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Account").field(&self.user).finish()
    }
}

fn flag(on: bool) -> &'static str {
    match on {
        true => "1",
        false => "0",
    }
}

impl Iscsi {
    /// Makes a group that has its units what it is to be, and lets initiators in. In one that is open already, those
    /// that are logged in stay.
    pub(crate) fn open_group(&self, tree: &dyn ConfigFs, group: &Path) -> Result<(), TreeError> {
        // Whom it lets in comes before where it listens: a new port must not be open to others for a moment.
        let attributes = group.join("attrib");
        let authentication = flag(self.chap.is_some());
        tree.set(&attributes.join("authentication"), authentication)?;
        self.set_chap(tree, &group.join("auth"))?;
        let known = group.join("acls");
        for gone in tree.names(&known)? {
            if !self.initiators.contains(&gone) {
                remove_initiator(tree, &known.join(gone))?;
            }
        }
        for initiator in &self.initiators {
            self.make_initiator(tree, group, &known.join(initiator))?;
        }
        // Others have what the group has, and may write.
        tree.set(&attributes.join("demo_mode_write_protect"), "0")?;
        let all = flag(self.initiators.is_empty());
        tree.set(&attributes.join("demo_mode_discovery"), all)?;
        tree.set(&attributes.join("generate_node_acls"), all)?;
        let portals = group.join("np");
        let wanted = self.portal.to_string();
        for gone in tree.names(&portals)? {
            if gone != wanted {
                remove(tree, &portals.join(gone))?;
            }
        }
        ensure(tree, &portals.join(wanted))?;
        let enable = group.join("enable");
        match tree.get(&enable)?.as_str() {
            "1" => Ok(()),
            _ => tree.set(&enable, "1"),
        }
    }

    fn set_chap(&self, tree: &dyn ConfigFs, directory: &Path) -> Result<(), TreeError> {
        // The kernel's word for none.
        const NONE: &str = "NULL";
        let target = self.chap.as_ref().and_then(|chap| chap.target.as_ref());
        let initiator = self.chap.as_ref().map(|chap| &chap.initiator);
        for (account, user, secret) in [
            (initiator, "userid", "password"),
            (target, "userid_mutual", "password_mutual"),
        ] {
            let (name, word) = match account {
                Some(account) => (account.user.as_str(), account.secret.as_str()),
                None => (NONE, NONE),
            };
            tree.set(&directory.join(user), name)?;
            tree.set(&directory.join(secret), word)?;
        }
        Ok(())
    }

    /// An initiator that is known by its name: with the units of the group, under their numbers.
    fn make_initiator(
        &self,
        tree: &dyn ConfigFs,
        group: &Path,
        directory: &Path,
    ) -> Result<(), TreeError> {
        ensure(tree, directory)?;
        self.set_chap(tree, &directory.join("auth"))?;
        let units = group.join("lun");
        for unit in tree.names(&units)? {
            // A killed daemon can have left a unit without a device, which the kernel refuses here.
            if links_in(tree, &units.join(&unit))?.is_empty() {
                continue;
            }
            let mapped = directory.join(&unit);
            ensure(tree, &mapped)?;
            let link = mapped.join(&unit);
            if tree.link_target(&link).is_none() {
                tree.link(&units.join(&unit), &link)?;
            }
        }
        Ok(())
    }
}

/// Takes an initiator away, which ends its session.
fn remove_initiator(tree: &dyn ConfigFs, directory: &Path) -> Result<(), TreeError> {
    let names = tree.names(directory)?;
    for mapped in names.iter().filter(|name| name.starts_with("lun_")) {
        let mapped = directory.join(mapped);
        for name in tree.names(&mapped)? {
            let link = mapped.join(name);
            if tree.link_target(&link).is_some() {
                tree.unlink(&link)?;
            }
        }
        remove(tree, &mapped)?;
    }
    remove(tree, directory)
}

/// Ends all sessions, and removes what the group has beside its units.
pub(crate) fn close_group(tree: &dyn ConfigFs, group: &Path) -> Result<(), TreeError> {
    let enable = group.join("enable");
    if tree.get(&enable).is_ok_and(|value| value == "1") {
        tree.set(&enable, "0")?;
    }
    let known = group.join("acls");
    for initiator in tree.names(&known)? {
        remove_initiator(tree, &known.join(initiator))?;
    }
    let portals = group.join("np");
    for portal in tree.names(&portals)? {
        remove(tree, &portals.join(portal))?;
    }
    Ok(())
}
