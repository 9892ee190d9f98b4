//! How far it is: a bar on a terminal, a line now and then elsewhere.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::ProgressBar;
use pseudotape_human::{HumanBytes, Screen};

use crate::progress;

/// Time between two lines where there is no terminal.
const LINE_INTERVAL: Duration = Duration::from_secs(5);

pub(crate) struct Meter {
    verb: &'static str,
    total_bytes: Option<u64>,
    began: Instant,
    bar: Option<ProgressBar>,
    /// Lines are wanted; when the last one was printed.
    line: Option<Instant>,
}

impl Meter {
    /// `verb` is what was done with the bytes: "copied".
    pub(crate) fn new(verb: &'static str, total_bytes: Option<u64>, screen: &Screen) -> Self {
        let terminal = std::io::stderr().is_terminal();
        let began = Instant::now();
        Meter {
            verb,
            total_bytes,
            began,
            bar: (terminal && !screen.is_json()).then(|| match total_bytes {
                Some(bytes) => progress::bar(screen, bytes),
                None => progress::bar_without_end(screen),
            }),
            line: (!terminal && !screen.is_json()).then_some(began),
        }
    }

    pub(crate) fn at(&mut self, bytes: u64) {
        if let Some(bar) = &self.bar {
            bar.set_position(bytes);
        }
        if let Some(last) = self.line
            && last.elapsed() >= LINE_INTERVAL
        {
            self.line = Some(Instant::now());
            let words = line(self.verb, bytes, self.total_bytes, self.began.elapsed());
            eprintln!("pseudotape: {words}");
        }
    }

    /// Takes the bar away; says how long it took.
    pub(crate) fn finish(self) -> Duration {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
        self.began.elapsed()
    }
}

/// Bytes a second.
pub(crate) fn rate(bytes: u64, time: Duration) -> u64 {
    let millis = time.as_millis().max(1);
    u64::try_from(u128::from(bytes) * 1000 / millis).unwrap_or(u64::MAX)
}

fn line(verb: &str, bytes: u64, total_bytes: Option<u64>, time: Duration) -> String {
    let rate = rate(bytes, time);
    let speed = format!("{}/s", HumanBytes(rate));
    match total_bytes {
        Some(total) => {
            let left = total.saturating_sub(bytes) / rate.max(1);
            format!(
                "{verb} {} of {}, {speed}, {} left",
                HumanBytes(bytes),
                HumanBytes(total),
                clock(left)
            )
        }
        None => format!("{verb} {}, {speed}", HumanBytes(bytes)),
    }
}

/// Hours, minutes and seconds.
fn clock(seconds: u64) -> String {
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("{hours}:{minutes:02}:{seconds:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_rate_and_time_left() {
        let time = Duration::from_secs(2);
        assert_eq!(
            line("copied", 1 << 30, Some(4 << 30), time),
            "copied 1.0 GiB of 4.0 GiB, 512.0 MiB/s, 0:00:06 left"
        );
        assert_eq!(
            line("copied", 1 << 30, None, time),
            "copied 1.0 GiB, 512.0 MiB/s"
        );
        assert_eq!(
            line("copied", 0, Some(3_600_000), Duration::ZERO),
            "copied 0 B of 3.4 MiB, 0 B/s, 1000:00:00 left"
        );
    }
}
