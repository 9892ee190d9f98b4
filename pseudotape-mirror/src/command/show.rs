//! The status, for people.

use pseudotape_control::mirror::{LegCondition, LegStatus, MirrorStatus};
use pseudotape_human::{HumanBytes, Paint, Screen, counted, printable};
use pseudotape_mirror::words_of_drop;
use pseudotape_tape::ObjectNumber;

/// A drive that has been at one thing for so long is waited for.
const LONG_SECONDS: f64 = 1.0;

/// One word for the whole.
fn summary(status: &MirrorStatus) -> (&'static str, Paint) {
    if status.refused.is_some() {
        (
            "refused: an operator has to say which volume is right",
            Paint::Bad,
        )
    } else if status.degraded {
        ("degraded", Paint::Bad)
    } else if status.loaded && status.legs.iter().any(protects) {
        ("in step, read only", Paint::Bad)
    } else if status.loaded {
        ("in step", Paint::Good)
    } else {
        ("no volumes", Paint::Heading)
    }
}

/// Whether nothing can be written because of this leg.
fn protects(leg: &LegStatus) -> bool {
    let is_in = matches!(leg.state, LegCondition::InStep | LegCondition::OutOfStep);
    is_in && leg.read_only.is_some() && leg.class == "required"
}

fn condition(leg: &LegStatus) -> (String, Paint) {
    let lost = leg.not_mirrored_from.map(|from| match leg.state {
        LegCondition::Dropped => words_of_drop(ObjectNumber(from)),
        _ => format!("not mirrored from object {from} on"),
    });
    let word = match leg.state {
        LegCondition::InStep if leg.lag_bytes + leg.lag_objects > 0 => "in step, late",
        LegCondition::InStep => "in step",
        LegCondition::OutOfStep => "out of step",
        LegCondition::Dropped => "dropped",
        LegCondition::Leaving => "leaving",
        LegCondition::Empty => "empty",
    };
    match lost {
        Some(lost) => (format!("{word}: {lost}"), Paint::Bad),
        None if leg.first_error.is_some() => (format!("{word}, damaged"), Paint::Bad),
        None if leg.read_only.is_some() => (format!("{word}, read only"), Paint::Bad),
        None => (word.to_owned(), Paint::Good),
    }
}

/// Whom an operation waits for: the legs whose drives have been at one thing for long. A late leg works for itself, and
/// is waited for only where no other leg is.
fn waited_for(status: &MirrorStatus) -> Option<String> {
    let works = |leg: &&LegStatus| leg.working_seconds.is_some_and(|time| time >= LONG_SECONDS);
    let working: Vec<_> = status.legs.iter().filter(works).collect();
    let (prompt, late): (Vec<&LegStatus>, Vec<_>) =
        working.into_iter().partition(|leg| leg.when == "sync");
    let legs = if prompt.is_empty() { late } else { prompt };
    let names: Vec<_> = legs.iter().map(|leg| printable(&leg.name)).collect();
    let word = match names.len() {
        0 => return None,
        1 => "leg",
        _ => "legs",
    };
    Some(format!("waits for {word} {}", names.join(", ")))
}

fn rate(leg: &LegStatus) -> String {
    format!("{}/s", HumanBytes(leg.bytes_per_second))
}

/// The whole status, over several lines.
pub(super) fn full(status: &MirrorStatus, screen: &Screen) -> String {
    let mut text = String::new();
    let (word, paint) = summary(status);
    let mut field = |name: &str, value: &str| {
        text.push_str(&format!("{name:<10} {value}\n"));
    };
    field("mirror", &screen.paint(paint, word));
    if let Some(refused) = &status.refused {
        field("", &screen.paint(Paint::Bad, &printable(refused)));
    }
    if let Some(slave) = &status.slave {
        let path = slave.path.display();
        let end = match (&slave.attached, &slave.problem) {
            (true, _) => format!("{path}, held by this mirror"),
            (false, Some(problem)) => screen.paint(Paint::Bad, &printable(problem)),
            (false, None) => format!("{path}, not held yet"),
        };
        field("slave end", &end);
    }
    if let Some(at) = &status.position {
        let file = at.file.map_or("unknown".into(), |file| file.to_string());
        let warned = if at.past_early_warning {
            ", behind early warning"
        } else {
            ""
        };
        let (partition, object) = (at.partition, at.object);
        let place = format!("file {file}, object {object}, partition {partition}{warned}");
        field("position", &place);
    }
    if let Some(busy) = &status.busy {
        let what = printable(&busy.what);
        let waits = waited_for(status).map_or_else(String::new, |legs| format!(": {legs}"));
        field("busy", &format!("{what}, for {:.1} s{waits}", busy.seconds));
    }
    for leg in &status.legs {
        show_leg(&mut text, leg, screen);
    }
    text
}

fn show_leg(text: &mut String, leg: &LegStatus, screen: &Screen) {
    let (word, paint) = condition(leg);
    let heading = screen.paint(Paint::Heading, &format!("leg {}", printable(&leg.name)));
    let sink = leg.sink.as_deref().unwrap_or("nothing yet");
    let mut lines = vec![
        format!("{heading}  {}", screen.paint(paint, &word)),
        format!(
            "  sink       {} ({}, {})",
            printable(sink),
            leg.class,
            leg.when
        ),
    ];
    if let Some(why) = &leg.read_only {
        lines.push(format!("  read only  {}", printable(why)));
    }
    if let Some(from) = leg.misses_from {
        let words = format!("what begins with object {from}: its volume is marked so");
        lines.push(format!("  misses     {}", screen.paint(Paint::Bad, &words)));
    }
    lines.push(format!(
        "  stored     {}, at {}, up to object {}",
        HumanBytes(leg.stored_bytes),
        rate(leg),
        leg.object
    ));
    if leg.when != "sync" || leg.lag_objects > 0 {
        let objects = counted(leg.lag_objects, "object");
        let bytes = HumanBytes(leg.lag_bytes);
        lines.push(format!("  lag        {objects}, {bytes}"));
    }
    if let Some(left) = leg.left_bytes {
        lines.push(format!("  left       {}", HumanBytes(left)));
    }
    if leg.repairs > 0 {
        let blocks = counted(leg.repairs, "block");
        let were = if leg.repairs == 1 { "was" } else { "were" };
        lines.push(format!(
            "  repairs    {blocks} {were} read from another leg"
        ));
    }
    if let Some(error) = leg.first_error.as_ref().or(leg.reason.as_ref()) {
        let error = screen.paint(Paint::Bad, &printable(error));
        lines.push(format!("  error      {error}"));
    }
    for fault in &leg.faults {
        let words = printable(&fault.to_string());
        lines.push(format!("  fault      {} {words}", fault.number));
    }
    if let Some(advice) = &leg.advice {
        lines.push(format!("  to do      {}", printable(advice)));
    }
    for line in lines {
        text.push_str(&line);
        text.push('\n');
    }
}

/// The status in one line.
pub(super) fn line(status: &MirrorStatus) -> String {
    let (word, _) = summary(status);
    let mut text = word.to_owned();
    if let Some(at) = &status.position {
        text.push_str(&format!(", object {}", at.object));
    }
    if let Some(busy) = status.busy.as_ref().filter(|busy| busy.seconds >= 1.0) {
        let waits = waited_for(status).map_or_else(String::new, |legs| format!(" ({legs})"));
        text.push_str(&format!(
            ", {} for {:.0} s{waits}",
            printable(&busy.what),
            busy.seconds
        ));
    }
    for leg in &status.legs {
        let (word, _) = condition(leg);
        text.push_str(&format!("; {} {word}", printable(&leg.name)));
        if leg.state != LegCondition::Empty {
            let stored = HumanBytes(leg.stored_bytes);
            text.push_str(&format!(", {stored} at {}", rate(leg)));
        }
        if leg.lag_bytes > 0 {
            text.push_str(&format!(", {} late", HumanBytes(leg.lag_bytes)));
        }
    }
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use pseudotape_control::mirror::{BusyStatus, PositionStatus, SlaveEndStatus};

    const PLAIN: Screen = Screen::plain();

    fn leg(name: &str) -> LegStatus {
        LegStatus {
            name: name.into(),
            sink: Some("null".into()),
            class: "required".into(),
            when: "sync".into(),
            state: LegCondition::InStep,
            not_mirrored_from: None,
            misses_from: None,
            reason: None,
            read_only: None,
            object: 7,
            lag_objects: 0,
            lag_bytes: 0,
            stored_bytes: 1 << 20,
            bytes_per_second: 2048,
            left_bytes: Some(1 << 30),
            working_seconds: None,
            repairs: 0,
            first_error: None,
            advice: None,
            faults: Vec::new(),
        }
    }

    fn status(legs: Vec<LegStatus>) -> MirrorStatus {
        MirrorStatus {
            version: "1".into(),
            pid: 1,
            slave: Some(SlaveEndStatus {
                path: "/run/s".into(),
                attached: true,
                problem: None,
            }),
            loaded: true,
            degraded: false,
            refused: None,
            min_legs: 1,
            position: Some(PositionStatus {
                partition: 0,
                file: Some(2),
                object: 7,
                past_early_warning: true,
            }),
            in_file: false,
            busy: None,
            legs,
        }
    }

    #[test]
    fn all_that_matters_of_a_leg_is_shown() {
        let mut late = leg("b");
        (late.when, late.lag_objects, late.lag_bytes) = ("deferred".into(), 3, 3000);
        let text = full(&status(vec![leg("a"), late]), &PLAIN);
        for line in [
            "mirror     in step",
            "slave end  /run/s, held by this mirror",
            "position   file 2, object 7, partition 0, behind early warning",
            "leg a  in step",
            "  sink       null (required, sync)",
            "  stored     1.0 MiB, at 2.0 KiB/s, up to object 7",
            "  left       1.0 GiB",
            "leg b  in step, late",
            "  lag        3 objects, 2.9 KiB",
        ] {
            assert!(text.lines().any(|shown| shown == line), "{line}: {text}");
        }
        assert!(!text.contains("to do"), "{text}");
    }

    #[test]
    fn what_is_wrong_is_shown_with_the_way_out() {
        let mut lost = leg("b");
        lost.state = LegCondition::OutOfStep;
        lost.not_mirrored_from = Some(5);
        lost.first_error = Some("cut".into());
        lost.advice = Some("pseudotape-mirror resync b".into());
        let mut all = status(vec![leg("a"), lost]);
        all.degraded = true;
        all.busy = Some(BusyStatus {
            what: "resync b".into(),
            seconds: 2.25,
        });
        let text = full(&all, &PLAIN);
        for line in [
            "mirror     degraded",
            "busy       resync b, for 2.2 s",
            "leg b  out of step: not mirrored from object 5 on",
            "  error      cut",
            "  to do      pseudotape-mirror resync b",
        ] {
            assert!(text.lines().any(|shown| shown == line), "{line}: {text}");
        }
        assert_eq!(
            line(&all),
            "degraded, object 7, resync b for 2 s; a in step, 1.0 MiB at 2.0 KiB/s; \
             b out of step: not mirrored from object 5 on, 1.0 MiB at 2.0 KiB/s\n"
        );
    }

    #[test]
    fn a_call_that_lasts_names_the_leg_that_it_waits_for() {
        let (mut late, mut hangs) = (leg("late"), leg("b"));
        (late.when, late.working_seconds) = ("deferred".into(), Some(9.0));
        hangs.working_seconds = Some(4.0);
        let mut quick = leg("a");
        quick.working_seconds = Some(0.1);
        let mut all = status(vec![quick, hangs, late]);
        all.busy = Some(BusyStatus {
            what: "a call of the program".into(),
            seconds: 4.0,
        });
        let text = full(&all, &PLAIN);
        let busy = "busy       a call of the program, for 4.0 s: waits for leg b\n";
        assert!(text.contains(busy), "{text}");
        let told = ", a call of the program for 4 s (waits for leg b); ";
        assert!(line(&all).contains(told), "{}", line(&all));
        // Nobody else is waited for.
        all.legs[1].working_seconds = None;
        assert!(full(&all, &PLAIN).contains(": waits for leg late\n"));
        all.legs[2].working_seconds = None;
        assert!(!full(&all, &PLAIN).contains("waits for"));
    }

    #[test]
    fn a_leg_that_was_dropped_at_the_beginning_may_still_hold_everything() {
        let mut dropped = leg("b");
        (dropped.state, dropped.repairs) = (LegCondition::Dropped, 1);
        for (from, words) in [
            (
                0,
                "leg b  dropped: what is written from the beginning of the tape on is not on it",
            ),
            (5, "leg b  dropped: not mirrored from object 5 on"),
        ] {
            dropped.not_mirrored_from = Some(from);
            let text = full(&status(vec![leg("a"), dropped.clone()]), &PLAIN);
            assert!(text.lines().any(|line| line == words), "{text}");
            assert!(
                text.contains("  repairs    1 block was read from"),
                "{text}"
            );
        }
    }

    #[test]
    fn a_leg_that_can_only_be_read_says_why() {
        let mut kept = leg("b");
        kept.read_only = Some("b.ptape: can't open the image: Read-only file system".into());
        let all = status(vec![leg("a"), kept.clone()]);
        let text = full(&all, &PLAIN);
        for line in [
            "mirror     in step, read only",
            "leg b  in step, read only",
            "  read only  b.ptape: can't open the image: Read-only file system",
        ] {
            assert!(text.lines().any(|shown| shown == line), "{line}: {text}");
        }
        assert!(line(&all).contains("; b in step, read only, "));
        kept.class = "spare".into();
        let text = full(&status(vec![leg("a"), kept]), &PLAIN);
        assert!(text.starts_with("mirror     in step\n"), "{text}");
    }

    #[test]
    fn nothing_from_outside_reaches_the_terminal_as_it_is() {
        let mut bad = leg("\x1b[2J");
        bad.sink = Some("\x07".into());
        bad.first_error = Some("\x1b]0;x\x07".into());
        bad.advice = Some("\r".into());
        bad.read_only = Some("\x1b".into());
        let mut all = status(vec![bad]);
        all.refused = Some("\x1b".into());
        all.slave = Some(SlaveEndStatus {
            path: "/s".into(),
            attached: false,
            problem: Some("\x1b".into()),
        });
        for text in [full(&all, &PLAIN), line(&all)] {
            assert!(
                text.chars().all(|c| c == '\n' || !c.is_control()),
                "{text:?}"
            );
        }
    }
}
