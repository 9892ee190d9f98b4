//! A session: the commands of one client, done at the farm's host.

mod adding;
mod caring;
mod coming;
mod giving;
#[cfg(test)]
mod older_test;
mod running;
mod standing;
mod trouble;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use pseudotape_farm::{After, Looking, Marks, Released, Repair, Root, Title, VolumeName};

use adding::{Making, Manner, Telling};
use standing::Whose;
use trouble::{Trouble, bytes_of};

use crate::access::{AccessList, Person};
use crate::commands::Commands;
use crate::error::{Error, Refusal};
use crate::hook::Hook;
use crate::how::How;
use crate::link::Link;
use crate::message::{Inside, Message, VolumeLine};
use crate::packet::{OLDEST_VERSION, PROTOCOL_VERSION};
use crate::presence::{Presence, who};

/// So long a client that was refused may take to hang up: what it was just sending would else take the refusal away.
const PARTING: Duration = Duration::from_secs(30);

/// What a session serves, and to whom.
#[derive(Clone, Debug)]
pub struct Served {
    /// The roots.
    pub roots: Vec<PathBuf>,
    /// Who the client is, by whom sshd or TLS let in.
    pub person: Person,
    /// Each host has volumes of its own, and not those of all.
    pub privately: bool,
    /// What clients may have run here, if anything.
    pub commands: Option<Commands>,
    /// Who hears of what clients have stored.
    pub hook: Option<Arc<dyn Hook>>,
    /// By which way it came, for people who look at the sessions.
    pub way: String,
}

/// Serves a client until it has said all. An error is one of the link, or a refusal that the client was told.
pub fn serve(link: Link, served: &Served) -> Result<(), Error> {
    told(link, |link| {
        let (root, version) = greet(link, served)?;
        commands(link, root, version, served)
    })
}

/// Tells a client that it may do nothing, because nobody knows who it is.
pub fn refuse(link: Link, text: String) -> Result<(), Error> {
    let refusal = Refusal::Access;
    told(link, |_| Err(Error::Refused { refusal, text }))
}

/// Serves, and tells the client why that ended.
fn told(mut link: Link, serve: impl FnOnce(&mut Link) -> Result<(), Error>) -> Result<(), Error> {
    let done = serve(&mut link);
    let (refusal, text) = match &done {
        Ok(()) => return Ok(()),
        Err(Error::Refused { refusal, text }) => (*refusal, text.clone()),
        Err(error @ Error::Protocol(_)) => (Refusal::Protocol, error.to_string()),
        Err(error @ Error::Damaged(_)) => (Refusal::Protocol, error.to_string()),
        Err(_) => return done,
    };
    let told = link.send(&Message::Refused { refusal, text });
    if told.and_then(|()| link.flush()).is_ok() {
        part(&mut link);
    }
    done
}

/// Takes what a client was just sending, so that it comes to read why it was refused.
fn part(link: &mut Link) {
    let end = Instant::now() + PARTING;
    while Instant::now() < end && link.input.pass().is_ok() {}
}

fn refused<T>(refusal: Refusal, text: String) -> Result<T, Error> {
    Err(Error::Refused { refusal, text })
}

/// Hears what the client is, and tells it which root it has, and which version is spoken.
fn greet(link: &mut Link, served: &Served) -> Result<(PathBuf, u32), Error> {
    let (version, root) = match link.receive()? {
        Message::Hello { version, root } => (version, root),
        _ => return Err(Error::protocol("it did not begin with a greeting")),
    };
    if version < OLDEST_VERSION {
        return refused(
            Refusal::Version,
            format!(
                "the client speaks version {version} of the protocol, and this server {OLDEST_VERSION} to {PROTOCOL_VERSION}: \
                 use programs of one version"
            ),
        );
    }
    let version = version.min(PROTOCOL_VERSION);
    let root = chosen(served, &root)?;
    link.send(&Message::Welcome {
        version,
        root: bytes_of(&root),
        person: served.person.to_string(),
    })?;
    Ok((root, version))
}

/// The root that is meant. Whoever may use none of those that are served does not hear of them.
fn chosen(served: &Served, said: &[u8]) -> Result<PathBuf, Error> {
    let person = &served.person;
    let mut text = None;
    let mut open: Vec<&PathBuf> = Vec::new();
    let meant = path_of(said);
    let mut is_served = false;
    for root in &served.roots {
        let is_meant = said.is_empty() || is_same(&meant, root);
        is_served |= is_meant && !said.is_empty();
        match AccessList::read(root) {
            Ok(access) if access.admits(person) => {
                if is_meant && !said.is_empty() {
                    return Ok(root.clone());
                }
                open.push(root);
            }
            Ok(_) => {}
            Err(error) => {
                log::error!("{error}");
                text = Some("nobody may use this farm: its access list can't be read".to_owned());
            }
        }
    }
    if is_served || open.is_empty() {
        let word = pseudotape_human::shell_word(person.to_string());
        let text = text.unwrap_or_else(|| {
            format!(
                "{person} may not use this farm: 'pseudotape farm acl add {word}' on its host lets them in"
            )
        });
        return refused(Refusal::Access, text);
    }
    match (open.as_slice(), said.is_empty()) {
        ([root], true) => Ok((*root).clone()),
        (roots, no_path) => {
            let roots: Vec<_> = roots
                .iter()
                .map(|root| root.display().to_string())
                .collect();
            let roots = roots.join(", ");
            let text = match no_path {
                true => {
                    format!("this server serves {roots}: say the path of the one that is meant")
                }
                false => format!(
                    "this server serves {roots}, and not {}: leave the path out, or say that one",
                    meant.display()
                ),
            };
            refused(Refusal::Command, text)
        }
    }
}

fn is_same(one: &Path, other: &Path) -> bool {
    let real = |path: &Path| std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    real(one) == real(other)
}

fn path_of(bytes: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStrExt;
    PathBuf::from(std::ffi::OsStr::from_bytes(bytes))
}

/// What a session knows of its client.
struct Client<'a> {
    served: &'a Served,
    /// The root that is served to it.
    root: PathBuf,
    whose: Whose,
    making: Making,
    /// Whether it understands that a hook failed.
    hears_hooks: bool,
    /// Of which volume and files the client has asked for the entries: it mostly wants those files next.
    asked: Option<(VolumeName, Vec<Title>)>,
}

fn commands(link: &mut Link, root: PathBuf, version: u32, served: &Served) -> Result<(), Error> {
    let _presence = Presence::begin(&root, &served.person, &served.way);
    // A root that can't be written has no volumes that become private either.
    let _serving = match served.privately {
        true => pseudotape_farm::Serving::begin_privately(&root).ok(),
        false => pseudotape_farm::Serving::begin(&root).ok(),
    };
    if let Err(error) = pseudotape_farm::Serving::expect_no_other(&root, served.privately) {
        return refused(Refusal::Command, error.to_string());
    }
    let mut client = Client {
        served,
        root,
        whose: Whose::default(),
        making: Making {
            tells_adopted: version >= 2,
            ..Making::default()
        },
        hears_hooks: version >= 2,
        asked: None,
    };
    loop {
        let order = match link.receive() {
            Ok(Message::End) => return Ok(()),
            // Between two commands a client may leave without a word.
            Err(Error::Cut(_)) => return Ok(()),
            order => order?,
        };
        let done = client.command(link, order);
        let text = match done {
            Ok(()) => {
                link.send(&Message::Done)?;
                link.flush()?;
                continue;
            }
            Err(Trouble::Link(error)) => return Err(error),
            Err(Trouble::Words(text)) => text,
            Err(Trouble::Farm(pseudotape_farm::Error::Busy { volume, holder })) => {
                let who = who(&client.root, holder.as_ref());
                format!("volume {volume} is busy, held by {who}")
            }
            Err(Trouble::Farm(error)) => error.to_string(),
        };
        let refusal = Refusal::Command;
        return Err(Error::Refused { refusal, text });
    }
}

impl Client<'_> {
    fn command(&mut self, link: &mut Link, order: Message) -> Result<(), Trouble> {
        match order {
            Message::Volumes => volumes(link, &self.reading()?),
            Message::Files { volume, titles } => {
                self.asked = Some((volume.clone(), titles.clone()));
                for entry in self
                    .reading()?
                    .look_for(&volume, &titles)?
                    .chosen(&titles)?
                {
                    link.send(&Message::Entry(entry))?;
                }
                Ok(())
            }
            Message::Show { volume, title } => show(link, &self.reading()?, &volume, title),
            Message::Extract { volume } => {
                let asked = self.asked.take().filter(|(of, _)| *of == volume);
                let titles = asked.map_or_else(Vec::new, |(_, titles)| titles);
                giving::extract(link, &self.reading()?, &volume, &titles)
            }
            Message::Verify { volume, titles } => {
                giving::verify(link, &self.reading()?, &volume, &titles)
            }
            Message::Write { volume, titles } => {
                giving::write(link, &self.reading()?, &volume, &titles)
            }
            Message::Check { volume, titles } => {
                caring::check(link, &self.reading()?, &volume, &titles)
            }
            Message::Repair {
                volume,
                apply,
                drop_replaced,
                lock_wait,
            } => {
                let root = match apply {
                    true => self.changing(link, lock_wait)?,
                    false => self.reading()?,
                };
                let how = Repair {
                    apply,
                    drop_replaced,
                };
                caring::repair(link, &root, &volume, how)
            }
            Message::Making {
                structured,
                compression,
                script,
            } => {
                if script.is_some() {
                    let text =
                        "--script: this server runs nothing for other hosts; nothing was changed";
                    return Err(Trouble::Words(text.to_owned()));
                }
                self.making = Making {
                    structured,
                    compression,
                    ..self.making.clone()
                };
                Ok(())
            }
            Message::Whose { host } => {
                self.whose = Whose::said(host, self.served.privately)?;
                Ok(())
            }
            Message::Run { name, arguments } => {
                let whom = (&self.served.person, self.root.as_path());
                let commands = self.served.commands.as_ref();
                running::run(link, commands, (&name, arguments), whom)
            }
            order => self.change(link, order),
        }
    }

    /// A command that changes a volume.
    fn change(&mut self, link: &mut Link, order: Message) -> Result<(), Trouble> {
        match order {
            Message::Release {
                volume,
                titles,
                by,
                lock_wait,
            } => {
                let person = &self.served.person;
                let by = match by {
                    Some(by) => format!("{by} ({person})"),
                    None => person.to_string(),
                };
                release(
                    link,
                    &self.changing(link, lock_wait)?,
                    &volume,
                    &titles,
                    &by,
                )
            }
            Message::Merge {
                volume,
                sources,
                how,
                lock_wait,
                check_present,
                compressed,
            } => {
                let root = self.marking(link, lock_wait, compressed)?;
                adding::merge(
                    link,
                    &root,
                    &volume,
                    &sources,
                    &self.manner(how, check_present),
                )
            }
            Message::Add {
                volume,
                how,
                lock_wait,
                check_present,
                compressed,
            } => {
                let root = self.marking(link, lock_wait, compressed)?;
                adding::add(link, &root, &volume, &self.manner(how, check_present))
            }
            Message::Annotate {
                volume,
                title,
                note,
                lock_wait,
            } => caring::annotate(
                link,
                &self.changing(link, lock_wait)?,
                &volume,
                &title,
                note,
            ),
            Message::Rebuild { volume, lock_wait } => {
                caring::rebuild(link, &self.changing(link, lock_wait)?, &volume)
            }
            _ => Err(Error::protocol("it is no command").into()),
        }
    }

    fn manner(&self, how: How, check_present: bool) -> Manner<'_> {
        Manner {
            how,
            looking: looking(check_present),
            making: &self.making,
            hook: self.served.hook.as_deref().map(|hook| Telling {
                hook,
                person: &self.served.person,
                is_told: self.hears_hooks,
            }),
        }
    }

    /// The root whose volumes are meant.
    fn root(&self, changes: bool) -> Result<Root, Trouble> {
        let Served {
            person, privately, ..
        } = self.served;
        let root = Root::open(&self.root)?;
        self.whose.root(root, person, *privately, changes)
    }

    /// The root for a command that reads.
    fn reading(&self) -> Result<Root, Trouble> {
        self.root(false)
    }

    /// The root for a command that changes a volume, and waits for it. The client hears what is waited for.
    fn changing(&self, link: &Link, seconds: u64) -> Result<Root, Trouble> {
        let root = self.root(true)?;
        let output = link.output.clone();
        let client = link.output.clone();
        let at = self.root.clone();
        Ok(root
            .waiting(Duration::from_secs(seconds), move |volume, holder| {
                let who = who(&at, holder);
                let text = format!(
                    "{who} is changing volume {volume}: waiting for it, {seconds} s at most"
                );
                let told = output.send(&Message::Waiting { text });
                if let Err(error) = told.and_then(|()| output.flush()) {
                    log::debug!("{error}");
                }
            })
            .waiting_until(move || client.is_broken().is_err()))
    }

    /// The same, for one that can make a volume.
    fn marking(&self, link: &Link, seconds: u64, compressed: bool) -> Result<Root, Trouble> {
        let marks = Marks::compressed(compressed).with_folders(self.making.structured);
        Ok(self.changing(link, seconds)?.marking(marks))
    }
}

fn looking(check_present: bool) -> Looking {
    match check_present {
        true => Looking::ToTheEnd,
        false => Looking::Opened,
    }
}

fn show(link: &Link, root: &Root, volume: &VolumeName, title: Title) -> Result<(), Trouble> {
    let volume = root.look_for(volume, std::slice::from_ref(&title))?;
    let entry = volume.directory().find(&title);
    let entry = entry.ok_or_else(|| pseudotape_farm::Error::NoTitle {
        title,
        volume: volume.name().clone(),
    })?;
    let path = bytes_of(&volume.capsule_path(entry.number));
    let entry = entry.clone();
    Ok(link.send(&Message::Shown { path, entry })?)
}

fn volumes(link: &Link, root: &Root) -> Result<(), Trouble> {
    for name in root.volumes()? {
        let looked = root.look(&name);
        let inside = looked.as_ref().ok().map(|volume| {
            let directory = volume.directory();
            let bytes = directory.entries().iter().map(|entry| entry.length);
            Inside {
                files: directory.entries().len() as u64,
                bytes: bytes.fold(0, u64::saturating_add),
                compressed: directory.marks().compressed,
            }
        });
        link.send(&Message::Volume(VolumeLine {
            volume: name,
            inside,
            trouble: looked.err().map(|error| error.to_string()),
        }))?;
    }
    Ok(())
}

fn release(
    link: &Link,
    root: &Root,
    volume: &VolumeName,
    titles: &[Title],
    by: &str,
) -> Result<(), Trouble> {
    // What was released is released, whether the client hears of it or not.
    let mut heard = Ok(());
    let mut tell = |told| {
        let message = match told {
            Released::Done(entry) => Message::Released(entry),
            Released::Before(entry) => Message::ReleasedBefore(entry),
            _ => return,
        };
        if heard.is_ok() {
            heard = link.send(&message);
        }
    };
    match pseudotape_farm::release(root, volume, titles, by, &mut tell)? {
        After::Deleted => link.send(&Message::Deleted)?,
        After::Foreign(names) => {
            for name in names {
                link.send(&Message::Foreign(name))?;
            }
        }
        _ => {}
    }
    Ok(heard?)
}
