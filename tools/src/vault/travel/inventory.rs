//! What the vault has, for the catalogs of backup programs (VT-05).

use std::collections::{BTreeMap, HashMap};

use anyhow::Result;
use pseudotape_human::{Alignment, Paint, Report, Screen, printable};
use pseudotape_vault::Vault;
use serde::Serialize;

use super::shelved::Shelved;
use crate::cli::InventoryForm;

/// One volume.
#[derive(Debug, Serialize)]
struct Entry {
    label: String,
    /// Nothing where the file is no image.
    identity: Option<String>,
    /// `present`, `absent`, `unknown`.
    state: &'static str,
    category: Option<&'static str>,
    availability: Option<&'static str>,
    generation: Option<u64>,
    image: Option<String>,
    /// Of the changer, as mtx counts it.
    slot: Option<u16>,
}

/// All of them.
#[derive(Debug, Serialize)]
struct Inventory {
    vault: String,
    online: bool,
    volumes: Vec<Entry>,
}

pub(super) fn told(
    vault: &Vault,
    slots: &Shelved,
    form: &InventoryForm,
    screen: &Screen,
) -> Result<()> {
    let inventory = Inventory::of(vault, slots)?;
    match form.program {
        Some(program) => {
            let is_volume = |barcode: &str| {
                let mut volumes = inventory.volumes.iter();
                volumes.any(|one| one.category.is_some() && one.label == barcode)
            };
            screen.print(slots.printed(program, is_volume).as_bytes())?;
        }
        None if form.csv => screen.print(inventory.csv().as_bytes())?,
        None => screen.show(&inventory)?,
    }
    Ok(())
}

impl Inventory {
    fn of(vault: &Vault, slots: &Shelved) -> Result<Self> {
        let mut by_barcode: BTreeMap<&str, u16> = slots.barcodes().collect();
        let shelf = vault.shelf()?;
        let mut images = HashMap::new();
        let mut strange = Vec::new();
        for one in &shelf {
            let path = one.path.display().to_string();
            match one.identity {
                Some(identity) if one.is_known => {
                    images.insert(identity, path);
                }
                identity => strange.push(Entry {
                    label: one.label.clone(),
                    identity: identity.map(|identity| identity.to_string()),
                    state: "unknown",
                    category: None,
                    availability: None,
                    generation: None,
                    image: Some(path),
                    slot: None,
                }),
            }
        }
        let known = vault.volumes()?.into_iter().map(|listed| {
            let volume = listed.volume;
            let image = images.remove(&volume.identity);
            let slot = by_barcode.remove(volume.label.as_str());
            let is_here = image.is_some() || slot.is_some();
            Entry {
                label: volume.label.to_string(),
                identity: Some(volume.identity.to_string()),
                state: if is_here { "present" } else { "absent" },
                category: Some(volume.category.word()),
                availability: Some(volume.availability.word()),
                generation: Some(volume.generation),
                image,
                slot,
            }
        });
        let mut volumes: Vec<Entry> = known.collect();
        volumes.extend(strange);
        // Cartridges that are no volume of the vault: stacked volumes of it are known by their labels, too.
        let stacked = vault.stacked_volumes()?;
        let is_stacked = |barcode: &str| stacked.iter().any(|one| one.label.as_str() == barcode);
        let cartridges = by_barcode.into_iter();
        volumes.extend(cartridges.filter(|(barcode, _)| !is_stacked(barcode)).map(
            |(barcode, slot)| Entry {
                label: barcode.to_owned(),
                identity: None,
                state: "unknown",
                category: None,
                availability: None,
                generation: None,
                image: None,
                slot: Some(slot),
            },
        ));
        Ok(Inventory {
            vault: vault.directory().display().to_string(),
            online: vault.pending_recovery()?.is_none(),
            volumes,
        })
    }

    fn csv(&self) -> String {
        let mut text =
            "label,identity,state,category,availability,generation,image,slot\r\n".to_owned();
        for one in &self.volumes {
            let generation = one.generation.map(|number| number.to_string());
            let slot = one.slot.map(|number| number.to_string());
            let fields = [
                one.label.as_str(),
                one.identity.as_deref().unwrap_or_default(),
                one.state,
                one.category.unwrap_or_default(),
                one.availability.unwrap_or_default(),
                generation.as_deref().unwrap_or_default(),
                one.image.as_deref().unwrap_or_default(),
                slot.as_deref().unwrap_or_default(),
            ];
            let quoted: Vec<String> = fields.iter().map(|field| quoted(field)).collect();
            text = text + &quoted.join(",") + "\r\n";
        }
        text
    }
}

/// A field of RFC 4180.
fn quoted(field: &str) -> String {
    match field.contains([',', '"', '\r', '\n']) {
        true => format!("\"{}\"", field.replace('"', "\"\"")),
        false => field.to_owned(),
    }
}

impl Report for Inventory {
    fn text(&self, screen: &Screen) -> String {
        let columns = [
            ("label", Alignment::Left),
            ("state", Alignment::Left),
            ("category", Alignment::Left),
            ("availability", Alignment::Left),
            ("gen", Alignment::Right),
            ("slot", Alignment::Right),
            ("image", Alignment::Left),
        ];
        let or_nothing = |text: Option<&str>| text.map_or_else(|| "-".to_owned(), printable);
        let row = |one: &Entry| {
            vec![
                printable(&one.label),
                match one.state {
                    "present" => one.state.to_owned(),
                    other => screen.paint(Paint::Notice, other),
                },
                or_nothing(one.category),
                or_nothing(one.availability),
                one.generation
                    .map_or_else(|| "-".to_owned(), |number| number.to_string()),
                one.slot
                    .map_or_else(|| "-".to_owned(), |number| number.to_string()),
                or_nothing(one.image.as_deref()),
            ]
        };
        let state = match self.online {
            true => "in service\n",
            false => "not in service: 'pseudotape vault online' ends the recovery\n",
        };
        screen.table(&columns, self.volumes.iter().map(row).collect()) + state
    }
}
