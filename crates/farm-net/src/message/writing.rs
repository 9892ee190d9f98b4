//! The bytes of messages.

use pseudotape_farm::VolumeName;

use super::{Message, REMEDIES, Wrong};
use crate::codec::Body;
use crate::error::Refusal;

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
            _ => return self.encode_later_order(body),
        };
        (kind, body.0)
    }

    /// Orders of version 2.
    fn encode_later_order(&self, body: Body) -> (u16, Vec<u8>) {
        let text = |body: Body, text: &String| body.bytes(text.as_bytes());
        let (kind, body) = match self {
            Message::Annotate {
                volume,
                title,
                note,
                lock_wait,
            } => {
                let body = named(body, volume).bytes(title.bytes());
                (24, body.option(note.as_ref(), text).u64(*lock_wait))
            }
            Message::Rebuild { volume, lock_wait } => (25, named(body, volume).u64(*lock_wait)),
            Message::Repair {
                volume,
                apply,
                drop_replaced,
                lock_wait,
            } => {
                let body = named(body, volume).byte(u8::from(*apply));
                (26, body.byte(u8::from(*drop_replaced)).u64(*lock_wait))
            }
            Message::Write { volume, titles } => (27, named(body, volume).titles(titles)),
            Message::Check { volume, titles } => (28, named(body, volume).titles(titles)),
            Message::Whose { host } => (29, body.option(host.as_ref(), named)),
            Message::Making {
                structured,
                compression,
                script,
            } => {
                let body = body.byte(u8::from(*structured));
                let body = body.option(*compression, |body, on| body.byte(u8::from(on)));
                (30, body.option(script.as_ref(), text))
            }
            Message::Run { name, arguments } => {
                let arguments = arguments.iter().map(Vec::as_slice);
                (31, text(body, name).list(arguments))
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
            Message::Wrong(found) => (41, wrong(body, found)),
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
            _ => return self.encode_later_result(body),
        };
        (kind, body.0)
    }

    /// Results of version 2.
    fn encode_later_result(&self, body: Body) -> (u16, Vec<u8>) {
        let text = |body: Body, text: &String| body.bytes(text.as_bytes());
        let (kind, body) = match self {
            Message::Adopted(entry) => (50, body.raw(&entry.encode())),
            Message::Remedied(found) => {
                let code = REMEDIES.iter().find(|(known, _)| *known == found.remedy);
                let body = wrong(body, &found.wrong).byte(code.map_or(0, |(_, code)| *code));
                let body = body.byte(found.obstacle.code());
                (51, body.byte(u8::from(found.done)))
            }
            Message::Listed(entry) => (52, body.raw(&entry.encode())),
            Message::NotListed { file, why } => (53, text(text(body, file), why)),
            Message::Next(entry) => (54, body.raw(&entry.encode())),
            Message::NotThere(entry) => (55, body.raw(&entry.encode())),
            Message::Bad { entry, why } => (56, text(body, why).raw(&entry.encode())),
            Message::Output { is_error, bytes } => (57, body.byte(u8::from(*is_error)).raw(bytes)),
            Message::Ended(ended) => {
                let (code, number) = ended.parts();
                (58, body.byte(code).u32(number))
            }
            Message::ScriptFailed { why } => (59, text(body, why)),
            // All others have their kinds above.
            _ => (63, body),
        };
        (kind, body.0)
    }
}

fn named(body: Body, volume: &VolumeName) -> Body {
    body.bytes(volume.as_str().as_bytes())
}

fn wrong(body: Body, wrong: &Wrong) -> Body {
    let text = |body: Body, text: &String| body.bytes(text.as_bytes());
    let body = text(text(body, &wrong.file), &wrong.what);
    let title = wrong.title.as_ref();
    let body = body.option(title, |body, title| body.bytes(title.bytes()));
    body.option(wrong.why.as_ref(), text)
}
