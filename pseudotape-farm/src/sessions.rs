//! The sessions of a farm: who is in, and the end of one.

use std::path::Path;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use pseudotape_farm_net::{Session, end_session};
use pseudotape_human::{Alignment, Report, Screen, printable};
use serde::Serialize;

use crate::Verdict;
use crate::cli::{EndOptions, SessionsOptions};

/// So long a session may take to end before its process is killed.
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Debug, Serialize)]
struct ShownSession {
    id: u32,
    person: String,
    way: String,
    since: String,
}

impl ShownSession {
    fn new(session: &Session) -> Self {
        ShownSession {
            id: session.id,
            person: session.person.to_string(),
            way: session.way.clone(),
            since: time(session.since),
        }
    }
}

fn time(time: SystemTime) -> String {
    let time = jiff::Timestamp::try_from(time).unwrap_or_default();
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

#[derive(Debug, Serialize)]
struct ShownSessions {
    root: String,
    sessions: Vec<ShownSession>,
}

impl Report for ShownSessions {
    fn text(&self, screen: &Screen) -> String {
        if self.sessions.is_empty() {
            return format!("nobody uses {} from another host\n", printable(&self.root));
        }
        let columns = [
            ("session", Alignment::Right),
            ("who", Alignment::Left),
            ("way", Alignment::Left),
            ("since", Alignment::Left),
        ];
        let row = |session: &ShownSession| {
            vec![
                session.id.to_string(),
                printable(&session.person),
                printable(&session.way),
                session.since.clone(),
            ]
        };
        screen.table(&columns, self.sessions.iter().map(row).collect())
    }
}

#[derive(Debug, Serialize)]
struct EndedSession {
    ended: ShownSession,
}

impl Report for EndedSession {
    fn text(&self, _: &Screen) -> String {
        let person = printable(&self.ended.person);
        format!("session {} of {person} is ended\n", self.ended.id)
    }
}

pub(crate) fn list(options: &SessionsOptions, screen: &Screen) -> Result<Verdict> {
    let sessions = sessions_of(&options.root)?;
    screen.show(&ShownSessions {
        root: options.root.display().to_string(),
        sessions: sessions.iter().map(ShownSession::new).collect(),
    })?;
    Ok(Verdict::Well)
}

fn sessions_of(root: &Path) -> Result<Vec<Session>> {
    let sessions = pseudotape_farm_net::sessions(root);
    sessions.with_context(|| format!("can't list the sessions of {}", root.display()))
}

pub(crate) fn end(options: &EndOptions, screen: &Screen) -> Result<Verdict> {
    let ended = end_session(&options.root, options.session, PATIENCE)?;
    screen.show(&EndedSession {
        ended: ShownSession::new(&ended),
    })?;
    Ok(Verdict::Well)
}
