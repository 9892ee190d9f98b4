//! An image as a picture.

use std::path::Path;

use anyhow::Result;
use pseudotape_rescue::{Cell, Picture, Stretch};

use super::look;
use super::reading::Met;

/// What of an image can be read: by the map of its rescue where it has one, else by reading every object of it.
pub(crate) fn of_image(path: &Path, partition: u8) -> Result<Picture> {
    if partition == 0
        && let Some(map) = crate::rescue::map_of(path)?
    {
        return Ok(Picture::of_map(&map));
    }
    look(path, partition, |reading, _| {
        let mut stretches = Vec::new();
        let mut first = 0;
        loop {
            let (objects, cell) = match reading.next()? {
                Met::EndOfData => break,
                Met::Damage(damage) => (damage.objects, Cell::Bad),
                Met::Block(_) | Met::Filemark | Met::Setmark => (1, Cell::Good),
            };
            stretches.push(Stretch {
                first,
                objects,
                cell,
            });
            first += objects;
        }
        let image = reading.image();
        let open = image.missing().is_some() || image.incomplete().is_some();
        Ok(Picture::new(stretches, open))
    })
}
