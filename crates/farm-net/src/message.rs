//! What the packets say. Most kinds go one way only; contents of files go both ways.

use pseudotape_farm::{Entry, Stamp, Title, VolumeName};

use crate::codec::{Body, Fields};
use crate::error::{Error, Refusal};
use crate::how::How;

/// A message.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Message {
    /// The client's first word: the version of the protocol, and the root that is meant (nothing: the server's own).
    Hello {
        /// The newest version that the client speaks.
        version: u32,
        /// A path, or nothing.
        root: Vec<u8>,
    },
    /// The server's first word.
    Welcome {
        /// The version that is spoken from here on.
        version: u32,
        /// The root that is served.
        root: Vec<u8>,
        /// Who the server takes the client for.
        person: String,
    },
    /// The volumes are wanted.
    Volumes,
    /// Entries of files are wanted.
    Files {
        /// Of this volume.
        volume: VolumeName,
        /// These, and those in these folders; all where none is said.
        titles: Vec<Title>,
    },
    /// All that is known of one file is wanted.
    Show {
        /// In this volume.
        volume: VolumeName,
        /// The file.
        title: Title,
    },
    /// Files are wanted; `Get` says which.
    Extract {
        /// From this volume.
        volume: VolumeName,
    },
    /// One file, as its capsule has it.
    Get {
        /// The number of the capsule.
        number: u64,
        /// Its identity.
        capsule: [u8; 16],
    },
    /// Capsules are to be read.
    Verify {
        /// Of this volume.
        volume: VolumeName,
        /// As of `Files`.
        titles: Vec<Title>,
    },
    /// Files are to be released.
    Release {
        /// In this volume.
        volume: VolumeName,
        /// These files; all where none is said.
        titles: Vec<Title>,
        /// Whose name is written down beside the client's, if any.
        by: Option<String>,
        /// How long another command is waited for, in seconds.
        lock_wait: u64,
    },
    /// Volumes are to be merged.
    Merge {
        /// Into this one.
        volume: VolumeName,
        /// From these.
        sources: Vec<VolumeName>,
        /// By which verb.
        how: How,
        /// As of `Release`.
        lock_wait: u64,
        /// The capsules of files that are present are read to their ends.
        check_present: bool,
        /// The volume is compressed, if it is made.
        compressed: bool,
    },
    /// Files are to be added; `Offer`, `File` and `Archive` follow.
    Add {
        /// To this volume.
        volume: VolumeName,
        /// By which verb.
        how: How,
        /// As of `Release`.
        lock_wait: u64,
        /// The capsules of files that are present are read to their ends.
        check_present: bool,
        /// The volume is compressed, if it is made.
        compressed: bool,
    },
    /// The volume is open: files may come, or be asked for.
    Ready,
    /// A file that the client has.
    Offer {
        /// Its title.
        title: Title,
        /// Which one it is.
        stamp: Stamp,
    },
    /// Whether the file is wanted, for each `Offer` in its turn.
    Answer {
        /// It is.
        wanted: bool,
    },
    /// A file comes: its headers as in an archive. `Data` and one of the ends follow.
    File {
        /// Which one of its title it is.
        stamp: Stamp,
        /// The headers.
        headers: Vec<u8>,
    },
    /// Contents.
    Data(Vec<u8>),
    /// The contents are whole.
    Whole,
    /// They are whole, but the file changed while it was read.
    Changed,
    /// They changed while they were read, and come again in another `File`.
    Again,
    /// They could not be read, or are not to be used.
    Failed {
        /// Why.
        why: String,
    },
    /// The capsule has no file.
    NoFile,
    /// An archive comes in `Data`, until `Whole` or `Failed`.
    Archive,
    /// The client has said all.
    End,
    /// A volume.
    Volume(VolumeLine),
    /// The entry of a file.
    Entry(Entry),
    /// All that is known of a file.
    Shown {
        /// Where its capsule is.
        path: Vec<u8>,
        /// Its entry.
        entry: Entry,
    },
    /// A file was added.
    Added(Entry),
    /// A file was added in the place of another one.
    Replaced(Entry),
    /// A file was not added: its title is there.
    Present(Title),
    /// A file was not added: what is there is as good.
    NotBetter(Title),
    /// A file can't be added.
    LeftOut {
        /// Which one.
        path: Vec<u8>,
        /// Why.
        why: String,
    },
    /// The capsule that a file had was gone or damaged; it is told as added or replaced, too.
    Mended {
        /// Its title.
        title: Title,
        /// What was wrong with the capsule.
        why: String,
    },
    /// A capsule was found to be whole.
    Sound(Entry),
    /// Something is wrong.
    Wrong(Wrong),
    /// A file was released.
    Released(Entry),
    /// It was released before, or never was there.
    ReleasedBefore(Entry),
    /// The volume is gone.
    Deleted,
    /// A name in the folder of a volume that keeps it from being deleted.
    Foreign(String),
    /// The command waits for another one.
    Waiting {
        /// For which, in words.
        text: String,
    },
    /// All is done.
    Done,
    /// The command is over, and was not done.
    Refused {
        /// What kind of a refusal it is.
        refusal: Refusal,
        /// Why.
        text: String,
    },
    /// Nothing, but the sender is alive.
    Alive,
}

/// A volume of a farm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VolumeLine {
    /// Its name.
    pub volume: VolumeName,
    /// What is in it; `None` where that can't be read.
    pub inside: Option<Inside>,
    /// Why not.
    pub trouble: Option<String>,
}

/// What is in a volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inside {
    /// How many files.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Whether its capsules are compressed.
    pub compressed: bool,
}

/// Something that a verification found, in the words of docs/FARM.md.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// The file in the volume's folder.
    pub file: String,
    /// What is wrong with it.
    pub what: String,
    /// Its title, where it is known.
    pub title: Option<Title>,
    /// What is wrong in more words.
    pub why: Option<String>,
}

impl Message {
    pub(crate) const DATA: u16 = 17;

    /// The kind and the body of a packet.
    #[must_use]
    pub fn encode(&self) -> (u16, Vec<u8>) {
        let body = Body::default();
        let (kind, body) = match self {
            Message::Hello { version, root } => (1, body.u32(*version).bytes(root)),
            Message::Welcome {
                version,
                root,
                person,
            } => {
                let body = body.u32(*version).bytes(root);
                (2, body.bytes(person.as_bytes()))
            }
            Message::Volumes => (3, body),
            Message::Files { volume, titles } => (4, named(body, volume).titles(titles)),
            Message::Show { volume, title } => (5, named(body, volume).bytes(title.bytes())),
            Message::Extract { volume } => (6, named(body, volume)),
            Message::Get { number, capsule } => (7, body.u64(*number).raw(capsule)),
            Message::Verify { volume, titles } => (8, named(body, volume).titles(titles)),
            Message::Release {
                volume,
                titles,
                by,
                lock_wait,
            } => {
                let body = named(body, volume).titles(titles);
                let body = body.option(by.as_ref(), |body, by| body.bytes(by.as_bytes()));
                (9, body.u64(*lock_wait))
            }
            Message::Merge {
                volume,
                sources,
                how,
                lock_wait,
                check_present,
                compressed,
            } => {
                let sources = sources.iter().map(|source| source.as_str().as_bytes());
                let body = named(body, volume).list(sources);
                let body = body.byte(how.code()).u64(*lock_wait);
                let body = body.byte(u8::from(*check_present));
                (10, body.byte(u8::from(*compressed)))
            }
            Message::Add {
                volume,
                how,
                lock_wait,
                check_present,
                compressed,
            } => {
                let body = named(body, volume).byte(how.code()).u64(*lock_wait);
                let body = body.byte(u8::from(*check_present));
                (11, body.byte(u8::from(*compressed)))
            }
            _ => return self.encode_file(body),
        };
        (kind, body.0)
    }

    fn encode_file(&self, body: Body) -> (u16, Vec<u8>) {
        let (kind, body) = match self {
            Message::Ready => (12, body),
            Message::Offer { title, stamp } => (13, body.bytes(title.bytes()).stamp(stamp)),
            Message::Answer { wanted } => (14, body.byte(u8::from(*wanted))),
            Message::Archive => (15, body),
            Message::File { stamp, headers } => (16, body.stamp(stamp).raw(headers)),
            Message::Data(bytes) => (Message::DATA, body.raw(bytes)),
            Message::Whole => (18, body),
            Message::Changed => (19, body),
            Message::Again => (20, body),
            Message::Failed { why } => (21, body.bytes(why.as_bytes())),
            Message::NoFile => (22, body),
            Message::End => (23, body),
            _ => return self.encode_result(body),
        };
        (kind, body.0)
    }

    fn encode_result(&self, body: Body) -> (u16, Vec<u8>) {
        let text = |body: Body, text: &String| body.bytes(text.as_bytes());
        let (kind, body) = match self {
            Message::Volume(line) => {
                let body = named(body, &line.volume);
                let body = body.option(line.inside, |body, inside| {
                    let body = body.u64(inside.files).u64(inside.bytes);
                    body.byte(u8::from(inside.compressed))
                });
                (32, body.option(line.trouble.as_ref(), text))
            }
            Message::Entry(entry) => (33, body.raw(&entry.encode())),
            Message::Shown { path, entry } => (34, body.bytes(path).raw(&entry.encode())),
            Message::Added(entry) => (35, body.raw(&entry.encode())),
            Message::Replaced(entry) => (36, body.raw(&entry.encode())),
            Message::Present(title) => (37, body.bytes(title.bytes())),
            Message::NotBetter(title) => (38, body.bytes(title.bytes())),
            Message::LeftOut { path, why } => (39, text(body.bytes(path), why)),
            Message::Sound(entry) => (40, body.raw(&entry.encode())),
            Message::Wrong(wrong) => {
                let body = text(text(body, &wrong.file), &wrong.what);
                let title = wrong.title.as_ref();
                let body = body.option(title, |body, title| body.bytes(title.bytes()));
                (41, body.option(wrong.why.as_ref(), text))
            }
            Message::Released(entry) => (42, body.raw(&entry.encode())),
            Message::ReleasedBefore(entry) => (43, body.raw(&entry.encode())),
            Message::Deleted => (44, body),
            Message::Foreign(name) => (45, text(body, name)),
            Message::Waiting { text: words } => (46, text(body, words)),
            Message::Done => (47, body),
            Message::Refused {
                refusal,
                text: words,
            } => {
                let code = Refusal::ALL.iter().find(|(known, _)| known == refusal);
                (
                    48,
                    text(body.byte(code.map_or(0, |(_, code)| *code)), words),
                )
            }
            Message::Mended { title, why } => (49, text(body.bytes(title.bytes()), why)),
            // All others have their kinds above.
            _ => (63, body),
        };
        (kind, body.0)
    }

    /// Reads the body of a packet.
    pub fn decode(kind: u16, body: &[u8]) -> Result<Self, Error> {
        let mut fields = Fields::of(body);
        let message = match kind {
            1..=11 => order(kind, &mut fields)?,
            12..=23 => file(kind, &mut fields)?,
            32..=49 => result(kind, &mut fields)?,
            63 => Message::Alive,
            _ => return Err(Error::protocol(format!("there is no message {kind}"))),
        };
        fields.end()?;
        Ok(message)
    }
}

fn named(body: Body, volume: &VolumeName) -> Body {
    body.bytes(volume.as_str().as_bytes())
}

fn order(kind: u16, fields: &mut Fields<'_>) -> Result<Message, Error> {
    Ok(match kind {
        1 => Message::Hello {
            version: fields.u32()?,
            root: fields.bytes()?.to_vec(),
        },
        2 => Message::Welcome {
            version: fields.u32()?,
            root: fields.bytes()?.to_vec(),
            person: fields.text()?,
        },
        3 => Message::Volumes,
        4 => Message::Files {
            volume: fields.volume()?,
            titles: fields.titles()?,
        },
        5 => Message::Show {
            volume: fields.volume()?,
            title: fields.title()?,
        },
        6 => Message::Extract {
            volume: fields.volume()?,
        },
        7 => Message::Get {
            number: fields.u64()?,
            capsule: fields.sixteen()?,
        },
        8 => Message::Verify {
            volume: fields.volume()?,
            titles: fields.titles()?,
        },
        9 => Message::Release {
            volume: fields.volume()?,
            titles: fields.titles()?,
            by: fields.option(Fields::text)?,
            lock_wait: fields.u64()?,
        },
        10 => Message::Merge {
            volume: fields.volume()?,
            sources: fields.list(Fields::volume)?,
            how: how(fields)?,
            lock_wait: fields.u64()?,
            check_present: fields.flag()?,
            compressed: fields.flag()?,
        },
        _ => Message::Add {
            volume: fields.volume()?,
            how: how(fields)?,
            lock_wait: fields.u64()?,
            check_present: fields.flag()?,
            compressed: fields.flag()?,
        },
    })
}

fn how(fields: &mut Fields<'_>) -> Result<How, Error> {
    How::of_code(fields.byte()?).ok_or_else(|| Error::protocol("there is no such verb"))
}

fn file(kind: u16, fields: &mut Fields<'_>) -> Result<Message, Error> {
    Ok(match kind {
        12 => Message::Ready,
        13 => Message::Offer {
            title: fields.title()?,
            stamp: fields.stamp()?,
        },
        14 => Message::Answer {
            wanted: fields.flag()?,
        },
        15 => Message::Archive,
        16 => Message::File {
            stamp: fields.stamp()?,
            headers: fields.rest().to_vec(),
        },
        Message::DATA => Message::Data(fields.rest().to_vec()),
        18 => Message::Whole,
        19 => Message::Changed,
        20 => Message::Again,
        21 => Message::Failed {
            why: fields.text()?,
        },
        22 => Message::NoFile,
        _ => Message::End,
    })
}

fn result(kind: u16, fields: &mut Fields<'_>) -> Result<Message, Error> {
    let path_first = (kind == 34).then(|| fields.bytes()).transpose()?;
    let mut entry = || {
        Entry::parse(fields.rest()).map_err(|error| Error::protocol(format!("a record: {error}")))
    };
    Ok(match kind {
        32 => Message::Volume(VolumeLine {
            volume: fields.volume()?,
            inside: fields.option(|fields| {
                Ok(Inside {
                    files: fields.u64()?,
                    bytes: fields.u64()?,
                    compressed: fields.flag()?,
                })
            })?,
            trouble: fields.option(Fields::text)?,
        }),
        33 => Message::Entry(entry()?),
        34 => Message::Shown {
            path: path_first.unwrap_or_default().to_vec(),
            entry: entry()?,
        },
        35 => Message::Added(entry()?),
        36 => Message::Replaced(entry()?),
        37 => Message::Present(fields.title()?),
        38 => Message::NotBetter(fields.title()?),
        39 => Message::LeftOut {
            path: fields.bytes()?.to_vec(),
            why: fields.text()?,
        },
        40 => Message::Sound(entry()?),
        41 => Message::Wrong(Wrong {
            file: fields.text()?,
            what: fields.text()?,
            title: fields.option(Fields::title)?,
            why: fields.option(Fields::text)?,
        }),
        42 => Message::Released(entry()?),
        43 => Message::ReleasedBefore(entry()?),
        44 => Message::Deleted,
        45 => Message::Foreign(fields.text()?),
        46 => Message::Waiting {
            text: fields.text()?,
        },
        47 => Message::Done,
        49 => Message::Mended {
            title: fields.title()?,
            why: fields.text()?,
        },
        _ => {
            let code = fields.byte()?;
            let known = Refusal::ALL.iter().find(|(_, known)| *known == code);
            Message::Refused {
                refusal: known.map_or(Refusal::Command, |(refusal, _)| *refusal),
                text: fields.text()?,
            }
        }
    })
}
