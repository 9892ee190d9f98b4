//! The text of a sink, both ways.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use pseudotape_filter::Compression;
use pseudotape_human::list::{self, Quoted, cut, plain};
use pseudotape_human::{CapacityBytes, did_you_mean, parse_capacity, parse_size};
use pseudotape_rmt::Remote;

use crate::error::SpecificationError;
use crate::sink::{ImageSink, Limits, Location, RmtSink, Sink};

/// Before a key file: blocks are held against volume and place.
pub(crate) const HELD: &str = "aes=";
/// Before a key file: every block of the key is read.
pub(crate) const ANYWHERE: &str = "aes-anywhere=";

/// What stands before the colon of a place.
const KINDS: [&str; 4] = ["image", "device", "rmt", "null"];

fn quoted(path: &Path) -> String {
    Quoted(&path.to_string_lossy()).to_string()
}

/// The parts between commas: the first one, and the options.
fn parts(text: &str) -> (String, Vec<String>) {
    let mut parts = list::parts(text, ',').map(plain);
    let first = parts.next().unwrap_or_default();
    (first, parts.collect())
}

/// One parse, with the whole text for its messages.
struct Parse<'a> {
    text: &'a str,
}

impl Parse<'_> {
    fn filled(&self, value: &str, what: &'static str) -> Result<String, SpecificationError> {
        if value.is_empty() {
            return Err(SpecificationError::Empty {
                text: self.text.to_owned(),
                what,
            });
        }
        Ok(value.to_owned())
    }

    fn path(&self, value: &str) -> Result<PathBuf, SpecificationError> {
        Ok(self.filled(value, "the path")?.into())
    }

    fn unknown_option(&self, option: &str, known: &'static [&'static str]) -> SpecificationError {
        let name = option.split('=').next().unwrap_or_default();
        let names = known.iter().map(|known| known.trim_end_matches('='));
        SpecificationError::UnknownOption {
            text: self.text.to_owned(),
            option: option.to_owned(),
            meant: did_you_mean(name, names),
            known: known.join(", "),
        }
    }

    /// Takes an option that limits a volume; `false` where it is another one.
    fn limit(&self, limits: &mut Limits, option: &str) -> Result<bool, SpecificationError> {
        let (name, field, value) = match option.split_once('=') {
            Some(("capacity", value)) => ("capacity", &mut limits.capacity_bytes, value),
            Some(("early-warning", value)) => {
                ("early-warning", &mut limits.early_warning_bytes, value)
            }
            _ => return Ok(false),
        };
        let read = if name == "capacity" {
            parse_capacity(value)
        } else {
            parse_size(value)
        };
        let size = read.map_err(|source| SpecificationError::Size {
            text: self.text.to_owned(),
            option: name,
            source,
        })?;
        *field = Some(size);
        Ok(true)
    }

    fn checked(&self, limits: Limits) -> Result<Limits, SpecificationError> {
        match (limits.capacity_bytes, limits.early_warning_bytes) {
            (Some(capacity), Some(zone)) if zone >= capacity => Err(SpecificationError::Limits {
                text: self.text.to_owned(),
                what: "the early-warning zone has to be smaller than the capacity",
            }),
            _ => Ok(limits),
        }
    }

    fn image(&self, rest: &str) -> Result<(Location, bool), SpecificationError> {
        let (path, options) = parts(rest);
        let mut read_only = false;
        let mut image = ImageSink {
            path: self.path(&path)?,
            create: false,
            limits: Limits::default(),
            cache: None,
        };
        for option in options {
            if option == "create" {
                image.create = true;
            } else if option == "ro" {
                read_only = true;
            } else if let Some(word) = option.strip_prefix("cache=") {
                let policy = word.parse().map_err(|source| SpecificationError::Cache {
                    text: self.text.to_owned(),
                    source,
                });
                image.cache = Some(policy?);
            } else if !self.limit(&mut image.limits, &option)? {
                let known = &["create", "ro", "capacity=", "early-warning=", "cache="];
                return Err(self.unknown_option(&option, known));
            }
        }
        image.limits = self.checked(image.limits)?;
        Ok((Location::Image(image), read_only))
    }

    fn device(&self, rest: &str) -> Result<(Location, bool), SpecificationError> {
        let (path, options) = parts(rest);
        if let Some(option) = options.iter().find(|option| *option != "ro") {
            return Err(self.unknown_option(option, &["ro"]));
        }
        Ok((Location::Device(self.path(&path)?), !options.is_empty()))
    }

    fn rmt(&self, rest: &str) -> Result<(Location, bool), SpecificationError> {
        let (tape, options) = parts(rest);
        let mut read_only = false;
        if Remote::from_str(&tape).is_err() {
            return Err(SpecificationError::NoHost {
                text: self.text.to_owned(),
            });
        }
        let mut rmt = RmtSink {
            tape,
            server: None,
            remote_shell: None,
            command: None,
        };
        for option in options {
            if option == "ro" {
                read_only = true;
                continue;
            }
            let (field, what, value) = match option.split_once('=') {
                Some(("server", value)) => (&mut rmt.server, "the server", value),
                Some(("rsh", value)) => (&mut rmt.remote_shell, "the remote shell", value),
                Some(("command", value)) => (&mut rmt.command, "the command", value),
                _ => {
                    let known = &["ro", "server=", "rsh=", "command="];
                    return Err(self.unknown_option(&option, known));
                }
            };
            *field = Some(self.filled(value.trim(), what)?);
        }
        Ok((Location::Rmt(rmt), read_only))
    }

    fn null(&self, rest: &str) -> Result<Location, SpecificationError> {
        let mut limits = Limits::default();
        let (first, more) = parts(rest);
        for option in std::iter::once(first).chain(more) {
            if !self.limit(&mut limits, &option)? {
                return Err(self.unknown_option(&option, &["capacity=", "early-warning="]));
            }
        }
        Ok(Location::Null(self.checked(limits)?))
    }

    /// A place, and whether it is for reading only.
    fn place(&self, text: &str) -> Result<(Location, bool), SpecificationError> {
        if text == "null" {
            return Ok((Location::Null(Limits::default()), false));
        }
        let Some((kind, rest)) = text.split_once(':').filter(|(kind, _)| !kind.contains('/'))
        else {
            return Ok((Location::Path(self.path(&plain(text))?), false));
        };
        match kind {
            "image" => self.image(rest),
            "device" => self.device(rest),
            "rmt" => self.rmt(rest),
            "null" => Ok((self.null(rest)?, false)),
            _ => Err(SpecificationError::UnknownKind {
                text: self.text.to_owned(),
                kind: kind.to_owned(),
                meant: did_you_mean(kind, KINDS),
            }),
        }
    }
}

impl FromStr for Sink {
    type Err = SpecificationError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parse = Parse { text };
        let filters = || SpecificationError::Filters {
            text: text.to_owned(),
        };
        let (mut compression, mut key_file, mut anywhere) = (None, None, false);
        let mut rest = text;
        while let Some((filter, behind)) = cut(rest, '+') {
            let wanted = match filter {
                "zstd" => Compression::Zstd,
                "lz4" => Compression::Lz4,
                _ => match key_of(filter) {
                    Some(_) if key_file.is_some() => return Err(filters()),
                    Some((path, any)) => {
                        key_file = Some(PathBuf::from(parse.filled(&plain(path), "the key file")?));
                        anywhere = any;
                        rest = behind;
                        continue;
                    }
                    // A plus in a path.
                    None => break,
                },
            };
            if compression.is_some() || key_file.is_some() {
                return Err(filters());
            }
            compression = Some(wanted);
            rest = behind;
        }
        let (place, read_only) = parse.place(rest)?;
        Ok(Sink {
            compression,
            key_file,
            anywhere,
            read_only,
            place,
        })
    }
}

/// The key file of a filter that encrypts, and whether its blocks are read anywhere.
pub(crate) fn key_of(filter: &str) -> Option<(&str, bool)> {
    let held = filter.strip_prefix(HELD).map(|path| (path, false));
    held.or_else(|| filter.strip_prefix(ANYWHERE).map(|path| (path, true)))
}

impl fmt::Display for Limits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let capacity = self.capacity_bytes.map(CapacityBytes);
        let options = [
            capacity.map(|bytes| format!("capacity={bytes}")),
            self.early_warning_bytes
                .map(|bytes| format!("early-warning={bytes}")),
        ];
        let given: Vec<String> = options.into_iter().flatten().collect();
        f.write_str(&given.join(","))
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Location::Path(path) => {
                let text = quoted(path);
                // What would be read as a kind of sink, or as a filter.
                let before = text.split('/').next().unwrap_or_default();
                let ambiguous = text == "null" || before.contains(':') || key_of(before).is_some();
                write!(f, "{}{text}", if ambiguous { "./" } else { "" })
            }
            Location::Image(image) => {
                write!(f, "image:{}", quoted(&image.path))?;
                if image.create {
                    f.write_str(",create")?;
                }
                if image.limits != Limits::default() {
                    write!(f, ",{}", image.limits)?;
                }
                match image.cache {
                    Some(policy) => write!(f, ",cache={policy}"),
                    None => Ok(()),
                }
            }
            Location::Device(path) => write!(f, "device:{}", quoted(path)),
            Location::Rmt(rmt) => {
                write!(f, "rmt:{}", Quoted(&rmt.tape))?;
                let options = [
                    ("server", &rmt.server),
                    ("rsh", &rmt.remote_shell),
                    ("command", &rmt.command),
                ];
                for (name, value) in options {
                    if let Some(value) = value {
                        write!(f, ",{name}={}", Quoted(value))?;
                    }
                }
                Ok(())
            }
            Location::Null(limits) if *limits == Limits::default() => f.write_str("null"),
            Location::Null(limits) => write!(f, "null:{limits}"),
        }
    }
}

impl fmt::Display for Sink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.compression {
            Some(Compression::Zstd) => f.write_str("zstd+")?,
            Some(Compression::Lz4) => f.write_str("lz4+")?,
            None => {}
        }
        if let Some(path) = &self.key_file {
            let word = if self.anywhere { ANYWHERE } else { HELD };
            write!(f, "{word}{}+", quoted(path))?;
        }
        self.place.fmt(f)?;
        match self.read_only {
            true => f.write_str(",ro"),
            false => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pseudotape_image::CachePolicy;

    fn sink(text: &str) -> Sink {
        text.parse().expect(text)
    }

    #[test]
    fn every_form_is_read() {
        assert_eq!(sink("a.ptape"), Sink::at(Path::new("a.ptape")));
        assert_eq!(sink("./a:b").place, Location::Path("./a:b".into()));
        assert_eq!(sink("/dev/nst0").place, Location::Path("/dev/nst0".into()));
        let made = ImageSink {
            path: "x.ptape".into(),
            create: true,
            limits: Limits {
                capacity_bytes: Some(100 << 20),
                early_warning_bytes: Some(65_536),
            },
            cache: Some(CachePolicy::Drop),
        };
        assert_eq!(
            sink("image:x.ptape,create,capacity=100M,early-warning=64K,cache=drop").place,
            Location::Image(made)
        );
        assert_eq!(
            sink("device:/dev/nst0").place,
            Location::Device("/dev/nst0".into())
        );
        let remote = |tape: &str| RmtSink {
            tape: tape.to_owned(),
            server: None,
            remote_shell: None,
            command: None,
        };
        assert_eq!(
            sink("rmt:vault:/dev/nst0").place,
            Location::Rmt(remote("vault:/dev/nst0"))
        );
        let served = RmtSink {
            server: Some("/sbin/rmt".into()),
            remote_shell: Some("rsh".into()),
            command: Some("nc -U s".into()),
            ..remote("tape@vault:/dev/nst0")
        };
        assert_eq!(
            sink("rmt:tape@vault:/dev/nst0,server=/sbin/rmt,rsh=rsh,command=nc -U s").place,
            Location::Rmt(served)
        );
        assert_eq!(sink("null").place, Location::Null(Limits::default()));
        let limits = Limits {
            capacity_bytes: Some(1024),
            early_warning_bytes: None,
        };
        assert_eq!(sink("null:capacity=1K").place, Location::Null(limits));
        let filtered = sink("zstd+aes=/etc/key+image:x");
        assert_eq!(
            (filtered.compression, filtered.key_file),
            (Some(Compression::Zstd), Some("/etc/key".into()))
        );
        for text in [
            "image:x.ptape,ro",
            "device:/dev/nst0,ro",
            "rmt:vault:/dev/nst0,ro,server=/sbin/rmt",
            "zstd+image:x.ptape,capacity=1M,ro",
        ] {
            assert!(sink(text).read_only, "{text}");
        }
        let anywhere = sink("lz4+aes-anywhere=k+image:x");
        assert!(anywhere.anywhere && anywhere.key_file == Some("k".into()));
        assert!(!filtered.anywhere);
        assert!(!sink("image:ro").read_only && !sink("device:ro").read_only);
        assert_eq!(sink("lz4+null").compression, Some(Compression::Lz4));
        assert_eq!(sink("a+b.ptape").place, Location::Path("a+b.ptape".into()));
        assert_eq!(sink(r"image:a\,b\\c").place, sink(r"image:a\,b\\c").place);
    }

    #[test]
    fn what_names_no_sink_is_refused_with_the_way_out() {
        for (text, words) in [
            ("", "the path is empty"),
            ("image:", "the path is empty"),
            ("zstd+", "the path is empty"),
            ("aes=+null", "the key file is empty"),
            ("vault:/dev/nst0", "rmt: before it"),
            (
                "imgae:x",
                "no kind of sink 'imgae' (did you mean 'image'?); there are image, device",
            ),
            (
                "image:x,craete",
                "no option 'craete' (did you mean 'create'?)",
            ),
            (
                "null:capcity=1M",
                "no option 'capcity=1M' (did you mean 'capacity'?)",
            ),
            ("image:x,capacity=100", "say 100M or 100G, or 100B"),
            ("device:/dev/nst0,rw", "no option 'rw'; there are ro"),
            ("null:ro", "no option 'ro'"),
            ("image:x,capacity=ten", "not a size"),
            ("image:x,capacity=0", "leave it out"),
            (
                "null:capacity=1K,early-warning=1K",
                "smaller than the capacity",
            ),
            ("image:x,cache=no", "there is no cache 'no'"),
            ("null:cache=drop", "no option 'cache=drop'"),
            ("null:size=1K", "no option 'size=1K'"),
            ("rmt:vault", "rmt:[USER@]HOST:PATH"),
            ("rmt::/dev/nst0", "rmt:[USER@]HOST:PATH"),
            ("rmt:-oProxyCommand=x:/dev/nst0", "rmt:[USER@]HOST:PATH"),
            ("rmt:vault:", "rmt:[USER@]HOST:PATH"),
            ("rmt:vault:/x,command=", "the command is empty"),
            ("rmt:vault:/x,port=1", "no option 'port=1'"),
            ("zstd+lz4+null", "at most one compression"),
            ("aes-anywhere=+null", "the key file is empty"),
            ("aes=k+aes-anywhere=k+null", "at most one compression"),
            ("aes=k+zstd+null", "at most one compression"),
            ("aes=k+aes=k+null", "at most one compression"),
        ] {
            let error = text.parse::<Sink>().expect_err(text).to_string();
            assert!(error.contains(words), "{text}: {error}");
        }
    }

    #[test]
    fn a_sink_prints_as_it_is_read() {
        use proptest::prelude::*;

        let path = r"[a-c:,+=\\/. ]{1,12}";
        let limits = || {
            (
                proptest::option::of(10..100_u64),
                proptest::option::of(0..10_u64),
            )
                .prop_map(|(capacity_bytes, early_warning_bytes)| Limits {
                    capacity_bytes,
                    early_warning_bytes,
                })
        };
        let cache = proptest::option::of(proptest::sample::select(CachePolicy::ALL.to_vec()));
        let place = prop_oneof![
            path.prop_map(|path| Location::Path(format!("/{path}").into())),
            (path, any::<bool>(), limits(), cache).prop_map(|(path, create, limits, cache)| {
                Location::Image(ImageSink {
                    path: path.into(),
                    create,
                    limits,
                    cache,
                })
            }),
            path.prop_map(|path| Location::Device(path.into())),
            (
                r"[a-z]{1,3}@[a-z.]{1,5}:/[a-z:,+\\]{1,9}",
                proptest::option::of(r"[a-z,+\\=]{1,6}")
            )
                .prop_map(|(tape, option)| Location::Rmt(RmtSink {
                    tape,
                    server: option.clone(),
                    remote_shell: None,
                    command: option,
                })),
            limits().prop_map(Location::Null),
        ];
        let compression = prop_oneof![Just(Compression::Zstd), Just(Compression::Lz4)];
        let sinks = (
            proptest::option::of(compression),
            proptest::option::of(path),
            (any::<bool>(), any::<bool>()),
            place,
        )
            .prop_map(
                |(compression, key_file, (read_only, anywhere), place)| Sink {
                    compression,
                    anywhere: anywhere && key_file.is_some(),
                    key_file: key_file.map(PathBuf::from),
                    read_only: read_only && !matches!(place, Location::Path(_) | Location::Null(_)),
                    place,
                },
            );
        proptest!(|(sink in sinks)| {
            let text = sink.to_string();
            prop_assert_eq!(text.parse::<Sink>(), Ok(sink), "{}", text);
        });
        for text in [
            "null",
            "a:b",
            "image:x",
            "zstd+x",
            "aes=k+x",
            "aes-anywhere=k+x",
        ] {
            let path = Sink::at(Path::new(text));
            let again: Sink = path.to_string().parse().expect("a path");
            assert_eq!(
                again.image_path().map(|p| p.file_name()),
                Some(Some(text.as_ref()))
            );
        }
    }
}
