//! Messages of bytes.

use pseudotape_farm::Entry;

use super::{Ended, Inside, Message, Obstacle, REMEDIES, Remedied, VolumeLine, Wrong};
use crate::codec::Fields;
use crate::error::{Error, Refusal};
use crate::how::How;

impl Message {
    /// Reads the body of a packet.
    pub fn decode(kind: u16, body: &[u8]) -> Result<Self, Error> {
        let mut fields = Fields::of(body);
        let message = match kind {
            1..=11 => order(kind, &mut fields)?,
            12..=23 => file(kind, &mut fields)?,
            24..=31 => later_order(kind, &mut fields)?,
            32..=49 => result(kind, &mut fields)?,
            50..=59 => later_result(kind, &mut fields)?,
            63 => Message::Alive,
            _ => return Err(Error::protocol(format!("there is no message {kind}"))),
        };
        fields.end()?;
        Ok(message)
    }
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

/// Orders of version 2.
fn later_order(kind: u16, fields: &mut Fields<'_>) -> Result<Message, Error> {
    Ok(match kind {
        24 => Message::Annotate {
            volume: fields.volume()?,
            title: fields.title()?,
            note: fields.option(Fields::text)?,
            lock_wait: fields.u64()?,
        },
        25 => Message::Rebuild {
            volume: fields.volume()?,
            lock_wait: fields.u64()?,
        },
        26 => Message::Repair {
            volume: fields.volume()?,
            apply: fields.flag()?,
            drop_replaced: fields.flag()?,
            lock_wait: fields.u64()?,
        },
        27 => Message::Write {
            volume: fields.volume()?,
            titles: fields.titles()?,
        },
        28 => Message::Check {
            volume: fields.volume()?,
            titles: fields.titles()?,
        },
        29 => Message::Whose {
            host: fields.option(Fields::volume)?,
        },
        30 => Message::Making {
            structured: fields.flag()?,
            compression: fields.option(Fields::flag)?,
            script: fields.option(Fields::text)?,
        },
        _ => Message::Run {
            name: fields.text()?,
            arguments: fields.list(|fields| Ok(fields.bytes()?.to_vec()))?,
        },
    })
}

/// Results of version 2.
fn later_result(kind: u16, fields: &mut Fields<'_>) -> Result<Message, Error> {
    Ok(match kind {
        50 => Message::Adopted(entry(fields)?),
        51 => {
            let wrong = wrong(fields)?;
            let code = fields.byte()?;
            let known = REMEDIES.iter().find(|(_, known)| *known == code);
            let (remedy, _) = known.ok_or_else(|| Error::protocol("there is no such remedy"))?;
            Message::Remedied(Remedied {
                wrong,
                remedy: *remedy,
                obstacle: Obstacle::of_code(fields.byte()?)
                    .ok_or_else(|| Error::protocol("there is no such obstacle"))?,
                done: fields.flag()?,
            })
        }
        52 => Message::Listed(entry(fields)?),
        53 => Message::NotListed {
            file: fields.text()?,
            why: fields.text()?,
        },
        54 => Message::Next(entry(fields)?),
        55 => Message::NotThere(entry(fields)?),
        56 => {
            let why = fields.text()?;
            let entry = entry(fields)?;
            Message::Bad { entry, why }
        }
        57 => Message::Output {
            is_error: fields.flag()?,
            bytes: fields.rest().to_vec(),
        },
        58 => {
            let ended = Ended::of_parts(fields.byte()?, fields.u32()?);
            let ended = ended.ok_or_else(|| Error::protocol("a command can't end so"))?;
            Message::Ended(ended)
        }
        _ => Message::ScriptFailed {
            why: fields.text()?,
        },
    })
}

fn entry(fields: &mut Fields<'_>) -> Result<Entry, Error> {
    Entry::parse(fields.rest()).map_err(|error| Error::protocol(format!("a record: {error}")))
}

fn wrong(fields: &mut Fields<'_>) -> Result<Wrong, Error> {
    Ok(Wrong {
        file: fields.text()?,
        what: fields.text()?,
        title: fields.option(Fields::title)?,
        why: fields.option(Fields::text)?,
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
        33 => Message::Entry(entry(fields)?),
        34 => Message::Shown {
            path: fields.bytes()?.to_vec(),
            entry: entry(fields)?,
        },
        35 => Message::Added(entry(fields)?),
        36 => Message::Replaced(entry(fields)?),
        37 => Message::Present(fields.title()?),
        38 => Message::NotBetter(fields.title()?),
        39 => Message::LeftOut {
            path: fields.bytes()?.to_vec(),
            why: fields.text()?,
        },
        40 => Message::Sound(entry(fields)?),
        41 => Message::Wrong(wrong(fields)?),
        42 => Message::Released(entry(fields)?),
        43 => Message::ReleasedBefore(entry(fields)?),
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
