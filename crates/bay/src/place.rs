use std::path::Path;

use pseudotape_sink::Sink;

use crate::error::Error;

/// What a text names: a path, or a specification of a sink (`zstd+image:PATH`, `rmt:HOST:TAPE`, `device:PATH`).
///
/// A path stays a path whatever characters are in it: an absolute one, one that begins with `.`, one that is there.
/// Everything else is read as a specification, in which a word without a kind is a path too.
pub fn place_named(text: &str) -> Result<Sink, Error> {
    let path = Path::new(text);
    if path.is_absolute() || text.starts_with('.') || path.exists() {
        return Ok(Sink::at(path));
    }
    Ok(text.parse::<Sink>()?)
}

#[cfg(test)]
mod tests {
    use pseudotape_sink::Place;

    use super::*;

    #[test]
    fn a_path_is_a_path_and_a_kind_is_a_specification() {
        for text in ["/srv/a,b:c+d.ptape", "./x:y", "../z+w", "plain.ptape"] {
            let sink = place_named(text).unwrap();
            assert_eq!(sink.place, Place::Path(text.into()), "{text}");
        }
        let null = place_named("null:capacity=1M").unwrap();
        assert!(matches!(null.place, Place::Null(_)));
        let filtered = place_named("zstd+image:/srv/a.ptape").unwrap();
        assert!(filtered.is_filtered());
        assert!(matches!(
            place_named("floppy:a"),
            Err(Error::Specification(_))
        ));
    }
}
