//! EN-10, EN-16 to EN-18, EN-20, EN-21. Tape files leave the vault, and bad ones come back or are declared lost.

mod append;
mod closing;
mod deliver;
mod pieces;
mod returned;

pub(super) use closing::close_incident;
pub(super) use deliver::deliver;
pub(super) use returned::{import_recovered, redeliver};

use anyhow::{Context, Result, bail};
use pseudotape_human::{Screen, shell_word, time_words};
use pseudotape_vault::{Actor, ClonedFile, FileState, Label, Listed, Order, Subject, Vault};

use super::clone::papers::Papers;
use super::shown::ShownVolume;
use super::{Place, this_user};
use crate::Verdict;
use crate::cli::DeclareLost;

/// EN-21.
pub(super) fn declare_lost(
    declare: &DeclareLost,
    place: &Place,
    screen: &Screen,
) -> Result<Verdict> {
    let mut vault = place.open("declare-lost")?;
    let order = Order::person(&declare.by, &declare.reason);
    let listed = vault.declare_lost(&declare.label, &declare.files, &order)?;
    screen.show(&ShownVolume::new(&vault, &listed))?;
    Ok(Verdict::Well)
}

/// Who declared a tape file lost, when and why: what whoever wants it is told.
fn ensure_wanted(vault: &Vault, label: &Label, number: u64, state: FileState) -> Result<()> {
    match state {
        FileState::Ok | FileState::Bad | FileState::Missing => Ok(()),
        FileState::Released => bail!(
            "nobody wants tape file {number} of {label} any more: 'pseudotape vault mark {word} ok --file {number} --by \
             NAME --reason TEXT' takes that back",
            word = shell_word(label.as_str())
        ),
        FileState::Lost => {
            let events = vault.events(Some(label), u32::MAX)?;
            let lost = Some(FileState::Lost.word());
            let event = events.iter().rev().find(|event| {
                let change = &event.change;
                change.subject == Subject::File
                    && change.file == Some(number)
                    && change.to.as_deref() == lost
            });
            let decided = event.map(|event| {
                let by = match &event.change.order.actor {
                    Actor::Person(name) => name.as_str(),
                    Actor::System => "the system",
                };
                format!(
                    " by {by}, {}: {}",
                    time_words(event.at_ms),
                    event.change.order.reason
                )
            });
            bail!(
                "tape file {number} of {label} was declared lost{}",
                decided.unwrap_or_default()
            )
        }
    }
}

fn by(name: Option<&String>) -> String {
    name.cloned().unwrap_or_else(this_user)
}

/// The damaged volume that a clone is of.
struct Damaged {
    listed: Listed,
    /// Which of its files are on the clone.
    cloned: Vec<ClonedFile>,
    papers: Papers,
}

impl Damaged {
    fn of(vault: &Vault, clone: &Label) -> Result<Self> {
        let (identity, cloned) = vault.clone_of(clone)?.with_context(|| {
            format!(
                "{clone} is no clone, and a tape file comes back onto the clone of its volume: 'pseudotape vault clone \
                 {word} --to LABEL' makes it",
                word = shell_word(clone.as_str())
            )
        })?;
        let volumes = vault.volumes()?;
        let mut damaged = volumes.into_iter();
        let listed = damaged.find(|listed| listed.volume.identity == identity);
        Ok(Damaged {
            listed: listed.context("the damaged volume has left the vault")?,
            cloned,
            papers: Papers::of(vault, &identity.to_string()),
        })
    }
}
