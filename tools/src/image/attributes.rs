//! Attributes that programs keep beside the data, as people want to see them.

use pseudotape_human::counted;
use pseudotape_image::{AttributeAreas, Image, View};
use pseudotape_tape::{Attribute, AttributeFormat};
use serde::Serialize;

/// Longer texts are cut where they are one of several.
const SHOWN_CHARACTERS: usize = 60;

/// One attribute.
#[derive(Debug, Serialize)]
pub(super) struct Shown {
    id: u16,
    /// What SPC-4 calls it.
    name: Option<&'static str>,
    bytes: usize,
    /// Its value, where it is a text.
    text: Option<String>,
}

/// Names of those that SPC-4 numbers.
fn name_of(id: u16) -> Option<&'static str> {
    Some(match id {
        0x0800 => "application vendor",
        0x0801 => "application name",
        0x0802 => "application version",
        0x0803 => "user medium text label",
        0x0804 => "date and time last written",
        0x0805 => "text localization identifier",
        0x0806 => "barcode",
        0x0807 => "owning host textual name",
        0x0808 => "media pool",
        0x080b => "application format version",
        0x080c => "volume coherency information",
        0x0820 => "medium globally unique identifier",
        0x0821 => "media pool globally unique identifier",
        _ => return None,
    })
}

impl Shown {
    fn of(id: u16, attribute: &Attribute) -> Self {
        let is_text = attribute.format != AttributeFormat::Binary;
        let text = is_text.then(|| String::from_utf8_lossy(&attribute.value));
        Shown {
            id,
            name: name_of(id),
            bytes: attribute.value.len(),
            text: text.map(|text| text.trim_end_matches(['\0', ' ']).to_owned()),
        }
    }

    fn words(&self) -> String {
        let name = self
            .name
            .map_or_else(|| format!("{:04X}h", self.id), str::to_owned);
        match &self.text {
            Some(text) if text.chars().count() > SHOWN_CHARACTERS => {
                let start: String = text.chars().take(SHOWN_CHARACTERS).collect();
                format!("{name} '{start}…'")
            }
            Some(text) => format!("{name} '{text}'"),
            None => format!("{name} ({})", counted(self.bytes as u64, "byte")),
        }
    }
}

/// Those of a partition; nothing where they are damaged.
pub(super) fn of(image: &Image<View>) -> Option<Vec<Shown>> {
    let attributes = image.attributes().ok()?;
    let shown = attributes.iter().map(|(id, one)| Shown::of(id, one));
    Some(shown.collect())
}

/// In words; nothing where there are none.
pub(super) fn words(attributes: Option<&[Shown]>) -> Option<String> {
    let Some(attributes) = attributes else {
        return Some("damaged: 'pseudotape verify' says where".to_owned());
    };
    if attributes.is_empty() {
        return None;
    }
    let bytes: usize = attributes.iter().map(|one| one.bytes).sum();
    let each: Vec<_> = attributes.iter().map(Shown::words).collect();
    Some(format!(
        "{} of programs, {}: {}",
        attributes.len(),
        counted(bytes as u64, "byte"),
        each.join(", ")
    ))
}

/// What is damaged of the places where they are kept.
#[derive(Debug, Serialize)]
pub(super) struct AreaDamage {
    /// Where the damaged areas begin.
    pub(super) offsets: Vec<u64>,
    /// What was kept is lost: no area is whole.
    lost: bool,
}

impl AreaDamage {
    pub(super) fn of(areas: &AttributeAreas) -> Self {
        AreaDamage {
            offsets: areas.damaged().collect(),
            lost: !areas.known,
        }
    }

    /// What it means.
    pub(super) fn words(&self, offset: u64) -> String {
        let rest = match self.lost {
            true => "they are lost, the data are not",
            false => "the other place serves, nothing is lost",
        };
        format!(
            "in the attributes of programs at byte {offset}: {rest}; writing attributes makes it whole"
        )
    }
}
