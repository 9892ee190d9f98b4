//! The status, once or again and again.

use std::time::Duration;

use anyhow::Result;
use pseudotape_control::mirror::MirrorStatus;
use pseudotape_human::{Report, Screen, json_line};
use serde::Serialize;

use super::client::Client;
use super::show::{full, line};
use super::verdict::Verdict;
use crate::cli::StatusOptions;

/// Moves to the upper left corner; each line then clears what is behind it.
const HOME: &str = "\x1b[H";
const CLEAR_LINE: &str = "\x1b[K";
const CLEAR_BELOW: &str = "\x1b[J";
const CLEAR_ALL: &str = "\x1b[2J";

pub(super) fn run(options: &StatusOptions, client: &Client, screen: &Screen) -> Result<Verdict> {
    let mut status = client.status()?;
    let Some(seconds) = options.watch else {
        screen.show(&Shown(&status))?;
        return Ok(verdict(&status));
    };
    let draws = screen.can_draw() && !screen.is_json();
    if draws {
        screen.print(CLEAR_ALL.as_bytes())?;
    }
    let mut looks = 0_u64;
    loop {
        let text = match (screen.is_json(), draws) {
            (true, _) => json_line(&Shown(&status))?,
            (false, true) => drawn(&full(&status, screen)),
            (false, false) => line(&status),
        };
        screen.print(text.as_bytes())?;
        looks += 1;
        if options.looks.is_some_and(|wanted| looks >= wanted) {
            return Ok(verdict(&status));
        }
        std::thread::sleep(Duration::from_secs_f64(seconds));
        status = client.status()?;
    }
}

/// The status as it is shown.
#[derive(Serialize)]
#[serde(transparent)]
pub(super) struct Shown<'a>(pub(super) &'a MirrorStatus);

impl Report for Shown<'_> {
    fn text(&self, screen: &Screen) -> String {
        full(self.0, screen)
    }
}

/// The text over what was there before.
fn drawn(text: &str) -> String {
    let lines = text.replace('\n', &format!("{CLEAR_LINE}\n"));
    format!("{HOME}{lines}{CLEAR_BELOW}")
}

fn verdict(status: &MirrorStatus) -> Verdict {
    let is_held = status.slave.as_ref().is_none_or(|slave| slave.attached);
    if status.degraded || !is_held {
        Verdict::Degraded
    } else {
        Verdict::Well
    }
}
