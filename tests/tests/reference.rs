//! The stack against a second opinion (`tests/src/reference`), by random calls.
//!
//! `PSEUDOTAPE_MODEL_OPERATIONS` sets how many, `PSEUDOTAPE_MODEL_SEED` the seed, which is printed. Without them it is
//! the same 20,000 each time. The nights look for what those don't meet.

use pseudotape_tests::reference::calls::Dice;
use pseudotape_tests::reference::play::Story;

/// Calls on one cartridge.
const STORY: usize = 120;

fn number_of(variable: &str) -> Option<u64> {
    let value = std::env::var(variable).ok()?;
    Some(value.parse().expect("the variable is a number"))
}

#[test]
fn every_answer_is_what_the_reference_model_expects() {
    let operations = number_of("PSEUDOTAPE_MODEL_OPERATIONS").unwrap_or(20_000);
    let seed = number_of("PSEUDOTAPE_MODEL_SEED").unwrap_or(418_177_099);
    println!("PSEUDOTAPE_MODEL_SEED={seed} for {operations} operations");
    let mut dice = Dice::new(seed);
    let mut done = 0;
    while done < operations {
        let (story, result) = Story::invent(&mut dice, STORY);
        done += story.calls.len() as u64;
        if result.is_err() {
            let story = story.shrunk();
            let difference = story.play().expect_err("it differed");
            for (number, call) in story.calls.iter().enumerate() {
                println!("{number:4} {call:?}");
            }
            panic!(
                "seed {seed}, about operation {done}, drive {}, {:?}\n{difference}",
                story.personality.name, story.blank
            );
        }
    }
    println!("{done} operations answered alike");
}
