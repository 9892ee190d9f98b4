//! Whose volumes a client means: those of all hosts, its own private ones, or those of another host.
//!
//! Which host a client is of says who let it in (sshd's key, or a certificate), and never the client.

use pseudotape_farm::{Root, VolumeName};

use super::trouble::Trouble;
use crate::access::{AccessList, Person};

/// Whose volumes the commands of a client mean.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Whose {
    /// Those that this server serves.
    #[default]
    Served,
    /// The private ones of this host, to read them.
    Of(VolumeName),
}

impl Whose {
    /// What a client says of whose volumes it means.
    pub(super) fn said(host: Option<VolumeName>, privately: bool) -> Result<Self, Trouble> {
        match host {
            Some(host) => Ok(Whose::Of(host)),
            // Else a client would put what is to be private where all hosts have it.
            None if !privately => {
                let text = "this server serves the volumes of all hosts, and private ones are meant: say \
                            volumes = \"shared\", or let it serve private ones (--private); nothing was done";
                Err(Trouble::Words(text.to_owned()))
            }
            None => Ok(Whose::Served),
        }
    }

    /// The root whose volumes are meant.
    pub(super) fn root(
        &self,
        root: Root,
        person: &Person,
        privately: bool,
        changes: bool,
    ) -> Result<Root, Trouble> {
        match self {
            Whose::Of(owner) if changes => Err(Trouble::Words(format!(
                "the private volumes of {owner} can be read with --owner, and changed by {owner} only; nothing was changed"
            ))),
            Whose::Of(owner) => of_owner(root, owner, person, privately),
            Whose::Served if privately => {
                let host = folder_of(&root, &person.host).parse::<VolumeName>();
                let host = host.map_err(|_| {
                    Trouble::Words(format!(
                        "{person}: '{}' can't be the name of a folder, in which the private volumes of a host are: give the \
                         client another name (--user, or its certificate)",
                        pseudotape_human::printable(&person.host)
                    ))
                })?;
                Ok(root.of_host(&host, changes)?)
            }
            Whose::Served => Ok(root),
        }
    }
}

/// The name of the folder of a host: as it was spelt when the folder was made, for names of hosts have no case.
fn folder_of(root: &Root, host: &str) -> String {
    // Where it can't be read, no folder in it is found either.
    let found = std::fs::read_dir(root.path()).into_iter().flatten();
    let names = found.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut spelt: Vec<String> = names
        .filter(|name| name.eq_ignore_ascii_case(host))
        .collect();
    spelt.sort_by_key(|name| (name != host, name.clone()));
    spelt.into_iter().next().unwrap_or_else(|| host.to_owned())
}

/// The private volumes of a host, for those who may read them.
fn of_owner(
    root: Root,
    owner: &VolumeName,
    person: &Person,
    privately: bool,
) -> Result<Root, Trouble> {
    let refusal = || {
        let word = pseudotape_human::shell_word(person.to_string());
        Trouble::Words(format!(
            "{person} may not read private volumes of {owner}, or it has none: where it has, 'pseudotape farm acl add \
             {word} --root DIR' on the farm's host lets them read, with the folder of {owner} as DIR"
        ))
    };
    let is_own = privately && owner.as_str().eq_ignore_ascii_case(&person.host);
    let folder = folder_of(&root, owner.as_str()).parse::<VolumeName>();
    let folder = folder.as_ref().unwrap_or(owner);
    let root = match root.of_host(folder, false) {
        Err(pseudotape_farm::Error::NoHost { .. }) if !is_own => return Err(refusal()),
        root => root?,
    };
    if is_own {
        return Ok(root);
    }
    match AccessList::read(root.path()) {
        Ok(access) if access.admits(person) => Ok(root),
        Ok(_) => Err(refusal()),
        Err(error) => {
            log::error!("{error}");
            Err(refusal())
        }
    }
}
