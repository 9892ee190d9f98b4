//! `acl`: who may use a farm from other hosts.

use pseudotape_farm::Root;
use pseudotape_farm_net::{ANY, AccessList, Person};
use pseudotape_human::{Report, Screen, printable};
use serde::Serialize;

use crate::Verdict;
use crate::cli::{AclCommand, AclOptions};

/// Who is on the list.
#[derive(Debug, Serialize)]
struct ShownAccess {
    people: Vec<String>,
    /// Somebody was put on the list, or taken off.
    changed: bool,
    #[serde(skip)]
    text: String,
}

impl Report for ShownAccess {
    fn text(&self, _: &Screen) -> String {
        self.text.clone()
    }
}

pub(super) fn run(options: &AclOptions, root: &Root, screen: &Screen) -> anyhow::Result<Verdict> {
    let (changed, text) = match &options.command {
        AclCommand::List => (false, None),
        AclCommand::Add(who) => {
            let person = who.person.clone();
            let added = AccessList::change(root.path(), |access| access.add(person))?;
            if who.person.user == ANY && who.person.host == ANY {
                eprintln!("pseudotape: everybody who reaches this host may use the farm now");
            }
            let word = if added {
                "may come in"
            } else {
                "is on the list"
            };
            (added, Some(line(&who.person, word)))
        }
        AclCommand::Del(who) => {
            let removed = AccessList::change(root.path(), |access| access.remove(&who.person))?;
            let word = match removed {
                true => "is on the list no more",
                false => "is not on the list",
            };
            (removed, Some(line(&who.person, word)))
        }
    };
    let people = AccessList::read(root.path())?.people();
    let text = text.unwrap_or_else(|| match people.is_empty() {
        true => "nobody may use this farm from another host\n".to_owned(),
        false => people.iter().map(|person| format!("{person}\n")).collect(),
    });
    screen.show(&ShownAccess {
        people: people.iter().map(ToString::to_string).collect(),
        changed,
        text,
    })?;
    Ok(match (&options.command, changed) {
        // What was to go was not there: most likely it is spelt otherwise there, and may still come in.
        (AclCommand::Del(_), false) => Verdict::Found,
        _ => Verdict::Well,
    })
}

fn line(person: &Person, word: &str) -> String {
    format!("{} {word}\n", printable(&person.to_string()))
}
