//! Every pair of states, by a system and by a person, against the tables of docs/VAULT.md written out again.

use super::*;

fn orders() -> [Order; 2] {
    [Order::system("why"), Order::person("ada", "why")]
}

/// Who may do it: `s`ystem, `p`erson, both, or nobody.
fn may(allowed: &[(&str, &str, &str)], from: &str, to: &str, order: &Order) -> bool {
    let who = match order.actor {
        Actor::System => 's',
        Actor::Person(_) => 'p',
    };
    let mut rows = allowed.iter();
    rows.any(|row| row.0 == from && row.1 == to && row.2.contains(who))
}

#[test]
fn categories_change_as_the_table_says() {
    let allowed = [
        ("scratch", "private", "sp"),
        ("scratch", "error", "sp"),
        ("private", "scratch", "sp"),
        ("private", "error", "sp"),
        ("insert", "scratch", "sp"),
        ("insert", "private", "sp"),
        ("insert", "error", "sp"),
        ("error", "scratch", "sp"),
        ("error", "private", "sp"),
    ];
    let mut tried = 0;
    for order in orders() {
        for from in Category::ALL {
            for to in Category::ALL {
                let done = from.become_category(*to, &order);
                let expected = may(&allowed, from.word(), to.word(), &order);
                assert_eq!(done.is_ok(), expected, "{from} -> {to} by {order:?}");
                expect_told(done, from.word(), to.word());
                tried += 1;
            }
        }
    }
    assert_eq!(tried, 2 * 4 * 4);
}

/// EN-02, EN-19: `noaccess` by the system alone, `notallowed` and `at-vendor` by a person alone.
#[test]
fn availabilities_change_as_the_table_says() {
    let allowed = [
        ("ok", "noaccess", "s"),
        ("ok", "notallowed", "p"),
        ("ok", "at-vendor", "p"),
        ("ok", "lost", "p"),
        ("noaccess", "ok", "p"),
        ("noaccess", "notallowed", "p"),
        ("noaccess", "at-vendor", "p"),
        ("noaccess", "lost", "p"),
        ("notallowed", "ok", "p"),
        ("notallowed", "at-vendor", "p"),
        ("notallowed", "lost", "p"),
        ("at-vendor", "notallowed", "p"),
        ("at-vendor", "lost", "p"),
        ("lost", "notallowed", "p"),
    ];
    for order in orders() {
        for from in Availability::ALL {
            for to in Availability::ALL {
                let done = from.become_availability(*to, &order);
                let expected = may(&allowed, from.word(), to.word(), &order);
                assert_eq!(done.is_ok(), expected, "{from} -> {to} by {order:?}");
                expect_told(done, from.word(), to.word());
            }
        }
    }
}

/// EN-21: only a person declares a file lost. EN-16: only reading makes a bad one good.
#[test]
fn tape_files_change_as_the_table_says() {
    let allowed = [
        ("ok", "bad", "sp"),
        ("ok", "missing", "sp"),
        ("ok", "released", "p"),
        ("ok", "lost", "p"),
        ("bad", "ok", "s"),
        ("bad", "missing", "sp"),
        ("bad", "released", "p"),
        ("bad", "lost", "p"),
        ("missing", "ok", "s"),
        ("missing", "bad", "sp"),
        ("missing", "released", "p"),
        ("missing", "lost", "p"),
        ("released", "ok", "p"),
        ("lost", "bad", "p"),
    ];
    for order in orders() {
        for from in FileState::ALL {
            for to in FileState::ALL {
                let done = from.become_state(*to, 7, &order);
                let expected = may(&allowed, from.word(), to.word(), &order);
                assert_eq!(done.is_ok(), expected, "{from} -> {to} by {order:?}");
                if let Ok(change) = &done {
                    assert_eq!(change.file, Some(7));
                }
                expect_told(done, from.word(), to.word());
            }
        }
    }
}

#[test]
fn a_volume_is_opened_and_closed_in_turn() {
    let order = Order::system("");
    for from in Opening::ALL {
        for to in Opening::ALL {
            let done = from.become_opening(*to, &order);
            assert_eq!(done.is_ok(), from != to);
            expect_told(done, from.word(), to.word());
        }
    }
}

/// The event has both states, and so has the error.
fn expect_told(done: Result<Change, Illegal>, from: &str, to: &str) {
    match done {
        Ok(change) => {
            assert_eq!(change.from.as_deref(), Some(from));
            assert_eq!(change.to.as_deref(), Some(to));
        }
        Err(error) => {
            let words = format!(" is {from} and can't become {to}: ");
            assert!(error.to_string().contains(&words), "{error}");
        }
    }
}

#[test]
fn each_word_is_read_as_it_is_written_and_no_other_one() {
    for one in Availability::ALL {
        assert_eq!(one.word().parse(), Ok(*one));
    }
    let error = "gone".parse::<Availability>().expect_err("no word of ours");
    let known = "ok, noaccess, notallowed, at-vendor, lost";
    assert_eq!(
        error.to_string(),
        format!("'gone' is no availability: that is one of {known}")
    );
}
