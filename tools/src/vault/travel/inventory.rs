//! What the vault has, for the catalogs of backup programs (VT-05).

use std::collections::HashMap;

use anyhow::Result;
use pseudotape_human::{Alignment, Paint, Report, Screen, printable};
use pseudotape_vault::Vault;
use serde::Serialize;

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
}

/// All of them.
#[derive(Debug, Serialize)]
struct Inventory {
    vault: String,
    online: bool,
    volumes: Vec<Entry>,
}

pub(super) fn told(vault: &Vault, csv: bool, screen: &Screen) -> Result<()> {
    let inventory = Inventory::of(vault)?;
    match csv {
        true => screen.print(inventory.csv().as_bytes())?,
        false => screen.show(&inventory)?,
    }
    Ok(())
}

impl Inventory {
    fn of(vault: &Vault) -> Result<Self> {
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
                }),
            }
        }
        let known = vault.volumes()?.into_iter().map(|listed| {
            let volume = listed.volume;
            let image = images.remove(&volume.identity);
            Entry {
                label: volume.label.to_string(),
                identity: Some(volume.identity.to_string()),
                state: if image.is_some() { "present" } else { "absent" },
                category: Some(volume.category.word()),
                availability: Some(volume.availability.word()),
                generation: Some(volume.generation),
                image,
            }
        });
        let mut volumes: Vec<Entry> = known.collect();
        volumes.extend(strange);
        Ok(Inventory {
            vault: vault.directory().display().to_string(),
            online: vault.pending_recovery()?.is_none(),
            volumes,
        })
    }

    fn csv(&self) -> String {
        let mut text = "label,identity,state,category,availability,generation,image\r\n".to_owned();
        for one in &self.volumes {
            let generation = one.generation.map(|number| number.to_string());
            let fields = [
                one.label.as_str(),
                one.identity.as_deref().unwrap_or_default(),
                one.state,
                one.category.unwrap_or_default(),
                one.availability.unwrap_or_default(),
                generation.as_deref().unwrap_or_default(),
                one.image.as_deref().unwrap_or_default(),
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
