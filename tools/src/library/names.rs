//! How people name elements and cartridges.

use anyhow::{Context, bail};
use pseudotape_control::{LibraryStatus, SpanStatus};

/// The address of `slotN`, `driveN`, `ieN` or `@ADDRESS`.
pub(super) fn address_named(library: &LibraryStatus, text: &str) -> anyhow::Result<u16> {
    let kinds = [
        ("slot", library.slots, 1),
        ("drive", library.drives, 0),
        ("ie", library.import_export, 1),
    ];
    if let Some(address) = text.strip_prefix('@') {
        return address
            .parse()
            .with_context(|| format!("'{text}': an address is a number up to 65535"));
    }
    for (word, span, base) in kinds {
        if let Some(number) = text.strip_prefix(word)
            && let Ok(number) = number.parse::<u16>()
        {
            return numbered(span, number, base).with_context(|| {
                format!(
                    "there is no {text}: the library has {word}{base} to {word}{}",
                    u32::from(span.count) + base - 1
                )
            });
        }
    }
    bail!("'{text}' is no element: an element is slotN, driveN, ieN or @ADDRESS");
}

fn numbered(span: SpanStatus, number: u16, base: u32) -> Option<u16> {
    let index = u32::from(number).checked_sub(base)?;
    let index = u16::try_from(index).ok().filter(|n| *n < span.count)?;
    span.first.checked_add(index)
}

/// The element that a cartridge is in, by its barcode or by the element.
pub(super) fn cartridge_named(library: &LibraryStatus, text: &str) -> anyhow::Result<u16> {
    let mut elements = library.elements.iter();
    if let Some(element) = elements.find(|e| e.barcode.as_deref() == Some(text)) {
        return Ok(element.at);
    }
    address_named(library, text).with_context(|| format!("no cartridge has the barcode '{text}'"))
}

/// The barcode of a cartridge, named by it or by the element that it is in.
pub(super) fn barcode_named(library: &LibraryStatus, text: &str) -> anyhow::Result<String> {
    let mut elements = library.elements.iter();
    let known = elements.any(|element| element.barcode.as_deref() == Some(text));
    let Ok(address) = address_named(library, text) else {
        // The library itself says that there is none.
        return Ok(text.to_owned());
    };
    if known {
        return Ok(text.to_owned());
    }
    let mut elements = library.elements.iter();
    let found = elements.find(|element| element.at == address);
    let barcode = found.and_then(|element| element.barcode.clone());
    barcode.with_context(|| format!("there is no cartridge with a barcode in {text}"))
}

/// How an element is named.
pub(super) fn name_of(library: &LibraryStatus, at: u16) -> String {
    let name = |word: &str, span: SpanStatus, base: u32| {
        let number = span.number(at)?;
        Some(format!("{word}{}", u32::from(number) + base))
    };
    name("slot", library.slots, 1)
        .or_else(|| name("drive", library.drives, 0))
        .or_else(|| name("ie", library.import_export, 1))
        .unwrap_or_else(|| format!("@{at}"))
}
