use std::path::{Path, PathBuf};

use pseudotape_sink::{Location, Sink};

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

/// The same name with every path in it absolute, for a program that runs in another directory.
pub fn absolute_name(named: &Path) -> Result<PathBuf, Error> {
    name_by(named, Sink::absolute)
}

/// The same name for a daemon that is asked: see [`Sink::as_asked`].
pub fn asked_name(named: &Path) -> Result<PathBuf, Error> {
    name_by(named, Sink::as_asked)
}

fn name_by(named: &Path, way: impl Fn(&Sink) -> std::io::Result<Sink>) -> Result<PathBuf, Error> {
    let sink = match named.to_str() {
        Some(text) => place_named(text)?,
        None => Sink::at(named),
    };
    let sink = way(&sink).map_err(|source| Error::Path {
        name: named.display().to_string(),
        source,
    })?;
    Ok(match &sink.place {
        Location::Path(path) if !sink.is_filtered() => path.clone(),
        _ => sink.to_string().into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_a_path_and_a_kind_is_a_specification() {
        for text in ["/srv/a,b:c+d.ptape", "./x:y", "../z+w", "plain.ptape"] {
            let sink = place_named(text).unwrap();
            assert_eq!(sink.place, Location::Path(text.into()), "{text}");
        }
        for text in [
            "zstd+aes=/k+image:/srv/a\\,b.ptape",
            "/srv/a,b+c",
            "rmt:host:tape",
        ] {
            assert_eq!(absolute_name(Path::new(text)).unwrap(), Path::new(text));
        }
        let relative = absolute_name(Path::new("lz4+image:a.ptape")).unwrap();
        let absolute = std::path::absolute("a.ptape").unwrap();
        assert_eq!(
            relative,
            Path::new(&format!("lz4+image:{}", absolute.display()))
        );
        let asked = |text: &str| asked_name(Path::new(text)).unwrap();
        assert_eq!(asked("not-here.ptape"), Path::new("not-here.ptape"));
        assert_eq!(asked("image:not-here"), Path::new("image:not-here"));
        assert_eq!(asked("src"), std::path::absolute("src").unwrap());
        assert_eq!(
            asked("./not-here"),
            std::path::absolute("not-here").unwrap()
        );
        let new = asked("image:not-here,create");
        assert!(new.to_str().unwrap().starts_with("image:/"), "{new:?}");
        let null = place_named("null:capacity=1M").unwrap();
        assert!(matches!(null.place, Location::Null(_)));
        let filtered = place_named("zstd+image:/srv/a.ptape").unwrap();
        assert!(filtered.is_filtered());
        assert!(matches!(
            place_named("floppy:a"),
            Err(Error::Specification(_))
        ));
    }
}
