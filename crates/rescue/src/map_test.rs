use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

fn empty() -> Map {
    let mut map = Map::new(VolumeId(uuid::Uuid::from_u128(1)), 0);
    for number in 0..3 {
        map.source(&SourceName {
            volume: None,
            label: String::new(),
            drive: number.to_string(),
            generation: None,
        });
    }
    map
}

/// One change of the map.
#[derive(Clone, Copy, Debug)]
enum Change {
    Base,
    Found(u64),
    Bad(usize, u32),
    NotTried(u64),
}

fn change() -> impl Strategy<Value = (u64, Change)> {
    let what = prop_oneof![
        4 => Just(Change::Base),
        3 => (0..20_u64).prop_map(|at| Change::Found(2 * at + 1)),
        3 => (0..3_usize, 1..3_u32).prop_map(|(source, tries)| Change::Bad(source, tries)),
        1 => (1..9_u64).prop_map(Change::NotTried),
    ];
    (0..40_u64, what)
}

proptest! {
    /// The runs say of each object what a list of single objects says, whatever is changed in whatever order.
    #[test]
    fn runs_say_the_same_as_single_objects(changes in prop::collection::vec(change(), 0..60)) {
        let mut map = empty();
        let mut single: BTreeMap<u64, State> = BTreeMap::new();
        for (object, change) in changes {
            for between in single.len() as u64..object {
                single.insert(between, State::NotTried);
            }
            match change {
                Change::Base => {
                    map.set_good(object, Place::Base);
                    single.insert(object, State::Good(Place::Base));
                }
                Change::Found(at) => {
                    map.set_good(object, Place::Found(at));
                    single.insert(object, State::Good(Place::Found(at)));
                }
                Change::NotTried(objects) => {
                    map.set_not_tried(object, objects);
                    single.extend((object..object + objects).map(|object| (object, State::NotTried)));
                }
                Change::Bad(source, tries) => {
                    let attempt = Attempt { source, tries, errno: 5, when: 9 };
                    map.set_bad(object, attempt);
                    let known = single.entry(object).or_insert(State::NotTried);
                    match known {
                        State::Good(_) => {}
                        State::Bad(bad) => bad.add(attempt),
                        State::NotTried => *known = State::Bad(Bad { attempts: vec![attempt] }),
                    }
                }
            }
        }
        prop_assert_eq!(map.frontier(), single.len() as u64);
        for (object, state) in &single {
            prop_assert_eq!(&map.state(*object).expect("it is known").state, state);
        }
        let mut at = 0;
        for run in map.runs() {
            prop_assert_eq!(run.first, at);
            at = run.end();
        }
        let read = Map::from_text(map.to_text().as_bytes());
        prop_assert_eq!(read, Ok(map));
    }
}

#[test]
fn a_copy_in_order_is_one_run_however_long() {
    let mut map = empty();
    for object in 0..1000 {
        map.set_good(object, Place::Base);
    }
    map.set_good(1000, Place::Found(7));
    map.set_good(1001, Place::Found(9));
    assert_eq!(map.runs().len(), 2);
    assert!(!map.is_whole(), "its end was not seen");
    map.end = Some(1002);
    assert!(map.is_whole());
    map.end = Some(1003);
    assert!(!map.is_whole());
    assert_eq!(map.counts().not_tried, 1);
    map.settle();
    assert_eq!(map.runs().len(), 1);
}

#[test]
fn what_is_wanted_is_first_what_nobody_tried() {
    let mut map = empty();
    let attempt = |source, tries| Attempt {
        source,
        tries,
        errno: 5,
        when: 0,
    };
    map.set_good(0, Place::Base);
    map.set_bad(1, attempt(0, 3));
    map.set_not_tried(2, 2);
    map.set_bad(4, attempt(0, 1));
    let wanted = |first, end, tries| Wanted { first, end, tries };
    assert_eq!(
        map.wanted(0, 3),
        [
            vec![wanted(2, Some(4), 3), wanted(5, None, 3)],
            vec![wanted(4, Some(5), 2)]
        ]
    );
    map.end = Some(5);
    assert_eq!(
        map.wanted(1, 3),
        [
            vec![wanted(2, Some(4), 3)],
            vec![wanted(1, Some(2), 3), wanted(4, Some(5), 3)]
        ]
    );
}
