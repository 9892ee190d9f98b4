//! A tape file that was bad comes back: from its owner, or from who could still read it (docs/VAULT.md).

use super::changing::file_of;
use super::taking::record;
use super::{Vault, changed, expect_reason, found};
use crate::contents::Contents;
use crate::error::Error;
use crate::event::Order;
use crate::label::Label;
use crate::state::FileState;
use crate::volume::{ClonedFile, Listed};

impl Vault {
    /// Declares tape files lost, all of them or none (EN-21). It is the only way to that state.
    pub fn declare_lost(
        &mut self,
        label: &Label,
        numbers: &[u64],
        order: &Order,
    ) -> Result<Listed, Error> {
        expect_reason(order)?;
        self.change_volume(label, |volume, files, _| {
            let mut changes = Vec::new();
            for number in numbers {
                let file = file_of(&volume.label, files, *number)?;
                changes.push(file.state.become_state(FileState::Lost, *number, order)?);
                file.state = FileState::Lost;
            }
            Ok(changes)
        })
    }

    /// A tape file that is bad on a damaged volume is on its clone now: both in one change (EN-10, EN-20). Closes the
    /// clone. The copy on the damaged volume is `released`: nobody wants that one any more.
    ///
    /// | condition | result | after |
    /// |---|---|---|
    /// | it is bad or missing there, and its digest is that of the new one | `Ok` | the clone has it |
    /// | it is not, or has another digest, or the volume is no clone | `NotReturned` | as before |
    pub fn return_file(
        &mut self,
        clone: &Label,
        file: ClonedFile,
        contents: &Contents,
        order: &Order,
    ) -> Result<Listed, Error> {
        let refused = |why: String| Error::NotReturned {
            label: clone.clone(),
            number: file.old_number,
            why,
        };
        self.change(|_, rows, now| {
            let (key, listed) = found(rows, clone)?;
            let (source, _) = rows
                .clone_of(key)?
                .ok_or_else(|| refused("the volume is no clone".to_owned()))?;
            let (source_key, source) = rows
                .find_identity(source)?
                .ok_or_else(|| refused("the damaged volume has left the vault".to_owned()))?;
            let new = contents.files.iter().find(|new| new.number == file.number);
            changed(rows, source_key, source.volume, now, |_, files, _| {
                let old = files.iter_mut().find(|old| old.number == file.old_number);
                let old = old.ok_or_else(|| refused("there is no such tape file".to_owned()))?;
                let digest = new.and_then(|new| new.digest);
                if !old.state.is_faulty() || digest.is_none() || digest != old.digest {
                    return Err(refused("it is not bad, or has another digest".to_owned()));
                }
                let change = old
                    .state
                    .become_state(FileState::Released, file.old_number, order)?;
                old.state = FileState::Released;
                Ok(vec![change])
            })?;
            let listed = changed(rows, key, listed.volume, now, |volume, files, now| {
                record(volume, files, contents, u64::MAX, now, order)
            })?;
            rows.insert_cloned_files(key, &[file])?;
            Ok(listed)
        })
    }
}
