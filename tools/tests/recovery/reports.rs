//! The JSON that the commands print, against the tables of docs/RECOVERY.md.

use std::fs;

use serde_json::Value;

use crate::place::{Place, append, flip_last};
use crate::tables::Seen;

/// What is printed is what docs/RECOVERY.md has, by field and by kind; each field of it is printed by something here.
#[test]
fn reports_are_those_of_the_document() {
    let place = Place::new();
    let mut seen = Seen::default();
    let mut see = |name: &str, value: &Value| seen.add(&format!("vault {name}"), value);
    place.create("a.ptape");
    see("backup", &place.json(0, &["backup", "a.ptape"]));
    place.create("blank.ptape");
    place.create("foreign.ptape");
    append(&place.path("foreign.ptape"), b"not an archive");
    for (code, tape) in [(0, "a.ptape"), (1, "blank.ptape"), (1, "foreign.ptape")] {
        see("catalog-of", &place.json(code, &["catalog-of", tape]));
    }
    place.backups(&["b.ptape"]);
    flip_last(&place.path("b.ptape"), b"catalog.sqlite.zst");
    see(
        "survey",
        &place.json(1, &["survey", "a.ptape", "b.ptape", "gone.ptape"]),
    );
    see("survey", &place.json(1, &["survey", "blank.ptape"]));
    let mut mon = place.described("MON001", 2);
    place.stack("a.ptape", &mon, b"copy");
    mon.generation = 3;
    place.stack_cut("a.ptape", &mon, &vec![9; 700_000]);
    see(
        "recover",
        &place.json(
            1,
            &[
                "recover",
                "a.ptape",
                "b.ptape",
                "--confirm",
                "--replace",
                "--roll-forward",
            ],
        ),
    );
    see(
        "recover",
        &place.json(0, &["recover", "a.ptape", "--confirm", "--event", "backup"]),
    );
    let event = ["--confirm", "--roll-forward", "--event", "backup"];
    see(
        "recover",
        &place.json(1, &[&["recover", "a.ptape"], &event[..]].concat()),
    );
    see("report", &place.json(1, &["report"]));
    fs::write(place.path("v/catalog.sqlite"), "torn").unwrap();
    place.lose();
    see(
        "recover",
        &place.json(1, &["recover", "a.ptape", "--confirm"]),
    );
    see("report", &place.json(1, &["report"]));
    place.json(
        1,
        &[
            "recover",
            "a.ptape",
            "b.ptape",
            "--confirm",
            "--roll-forward",
        ],
    );
    see("report", &place.json(1, &["report"]));
    fs::write(place.path("v/images/strange"), "?").unwrap();
    place.create("v/images/unknown.ptape");
    place.ok(&["add", "--new", "--capacity", "1M"]);
    see("inventory", &place.json(0, &["inventory"]));
    see("online", &place.json(0, &["online"]));

    seen.compare("RECOVERY.md", &[]);
}
