//! Progress bars on standard error. They are invisible where that is no terminal.

use std::fs;
use std::io::{self, IsTerminal};
use std::path::Path;
use std::time::Duration;

use indicatif::{HumanDuration, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use pseudotape_human::Screen;
use pseudotape_image::Watch;

/// A bar over `total_bytes`.
pub(crate) fn bar(screen: &Screen, total_bytes: u64) -> ProgressBar {
    styled(
        screen,
        Some(total_bytes),
        "{wide_bar} {binary_bytes}/{binary_total_bytes} {binary_bytes_per_sec} {left} left",
    )
}

/// The same where nobody knows how much there is.
pub(crate) fn bar_without_end(screen: &Screen) -> ProgressBar {
    styled(
        screen,
        None,
        "{spinner} {binary_bytes} {binary_bytes_per_sec}",
    )
}

/// What an opening shows that has all records to read, because the image has no index.
pub(crate) fn opening(path: &Path) -> (ProgressBar, Watch) {
    let length = fs::metadata(path).map_or(0, |file| file.len());
    // A JSON report goes to standard output, this to standard error.
    let bar = bar(&Screen::plain(), length);
    let shown = bar.clone();
    let watch = Watch::new(move |offset| {
        shown.set_position(offset);
        true
    });
    (bar, watch)
}

fn styled(screen: &Screen, total_bytes: Option<u64>, template: &str) -> ProgressBar {
    let target = if io::stderr().is_terminal() && !screen.is_json() {
        ProgressDrawTarget::stderr_with_hz(5)
    } else {
        ProgressDrawTarget::hidden()
    };
    let bar = ProgressBar::with_draw_target(total_bytes, target);
    bar.set_style(
        ProgressStyle::with_template(template)
            .expect("the templates are constants that a test draws")
            .with_key("left", left),
    );
    bar.enable_steady_tick(Duration::from_millis(500));
    bar
}

/// The time that is left, once there is a rate to tell it from.
fn left(state: &ProgressState, to: &mut dyn std::fmt::Write) {
    let written = match state.pos() {
        0 => to.write_char('?'),
        _ => write!(to, "{:#}", HumanDuration(state.eta())),
    };
    // A String takes everything.
    written.ok();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_progress_bar_can_be_drawn() {
        let screen = Screen::plain();
        for bar in [bar(&screen, 10), bar_without_end(&screen)] {
            bar.inc(3);
            assert_eq!(bar.position(), 3);
            bar.finish_and_clear();
        }
    }
}
