//! Which argument a word belongs to.

use clap::{Arg, ArgAction, Command};

use super::{Candidate, Place, Values, paths};

/// How far a command line is understood.
struct Walk<'a> {
    command: &'a Command,
    path: String,
    /// What was said, by the names of the arguments.
    said: Vec<(String, String)>,
    /// How many values stand at their places.
    places: usize,
    /// An option whose value comes next.
    open: Option<&'a Arg>,
    /// Behind `--` there are no options.
    is_past_options: bool,
}

pub(super) fn found(
    command: &Command,
    before: &[String],
    word: &str,
    values: Values<'_>,
) -> Vec<Candidate> {
    let mut walk = Walk {
        command,
        path: String::new(),
        said: Vec::new(),
        places: 0,
        open: None,
        is_past_options: false,
    };
    for word in before {
        walk.takes(word);
    }
    walk.continued(word, values)
}

impl<'a> Walk<'a> {
    fn takes(&mut self, word: &str) {
        if let Some(arg) = self.open.take() {
            self.says(arg, word);
        } else if self.is_past_options || word == "-" || !word.starts_with('-') {
            self.takes_place(word);
        } else if word == "--" {
            self.is_past_options = true;
        } else {
            self.takes_option(word);
        }
    }

    fn says(&mut self, arg: &Arg, value: &str) {
        let name = arg.get_id().as_str().to_owned();
        self.said.push((name, value.to_owned()));
    }

    fn takes_place(&mut self, word: &str) {
        let command = self.command;
        if let Some(below) = command.find_subcommand(word).filter(|_| self.places == 0) {
            self.command = below;
            if !self.path.is_empty() {
                self.path.push(' ');
            }
            self.path.push_str(below.get_name());
            return;
        }
        if let Some(arg) = self.place() {
            self.says(arg, word);
        }
        self.places += 1;
    }

    fn takes_option(&mut self, word: &str) {
        let (arg, value) = if let Some(long) = word.strip_prefix("--") {
            match long.split_once('=') {
                Some((name, value)) => (self.long(name), Some(value)),
                None => (self.long(long), None),
            }
        } else {
            let mut shorts = word.trim_start_matches('-').chars();
            let first = shorts.next();
            let mut all = self.command.get_arguments();
            let arg = all.find(|arg| arg.get_short() == first);
            (arg, Some(shorts.as_str()).filter(|rest| !rest.is_empty()))
        };
        let Some(arg) = arg else { return };
        let wants_value = arg.get_action().takes_values()
            && !arg.is_require_equals_set()
            && arg
                .get_num_args()
                .is_none_or(|range| range.min_values() > 0);
        match value {
            Some(value) => self.says(arg, value),
            None if wants_value => self.open = Some(arg),
            None => self.says(arg, ""),
        }
    }

    fn long(&self, name: &str) -> Option<&'a Arg> {
        let mut all = self.command.get_arguments();
        all.find(|arg| arg.get_long() == Some(name))
    }

    /// What stands at the next place: the last one may take many.
    fn place(&self) -> Option<&'a Arg> {
        let mut places = self.command.get_positionals();
        places.nth(self.places).or_else(|| {
            let last = self.command.get_positionals().last();
            last.filter(|arg| matches!(arg.get_action(), ArgAction::Append))
        })
    }

    fn continued(&self, word: &str, values: Values<'_>) -> Vec<Candidate> {
        if let Some(arg) = self.open {
            return self.values(arg, word, values);
        }
        if !self.is_past_options && word.starts_with('-') {
            let valued = word
                .strip_prefix("--")
                .and_then(|long| long.split_once('='));
            let Some((name, value)) = valued else {
                return self.options();
            };
            let Some(arg) = self.long(name) else {
                return Vec::new();
            };
            let mut found = self.values(arg, value, values);
            for candidate in &mut found {
                candidate.word.insert_str(0, &format!("--{name}="));
            }
            return found;
        }
        let mut found = Vec::new();
        if self.places == 0 {
            let below = self.command.get_subcommands();
            found.extend(below.filter(|below| !below.is_hide_set()).map(|below| {
                let about = below.get_about().map(ToString::to_string);
                Candidate::new(below.get_name(), first_line(about))
            }));
        }
        if let Some(arg) = self.place() {
            found.extend(self.values(arg, word, values));
        } else if found.is_empty() && word.is_empty() {
            // Nothing else can stand there.
            found = self.options();
        }
        found
    }

    fn options(&self) -> Vec<Candidate> {
        let is_left = |arg: &&Arg| {
            let again = matches!(arg.get_action(), ArgAction::Append | ArgAction::Count);
            let id = arg.get_id().as_str();
            !arg.is_hide_set() && (again || self.said.iter().all(|(said, _)| said != id))
        };
        let left = self.command.get_arguments().filter(is_left);
        left.filter_map(|arg| {
            let about = first_line(arg.get_help().map(ToString::to_string));
            let name = match (arg.get_long(), arg.get_short()) {
                (Some(long), _) => format!("--{long}"),
                (None, Some(short)) => format!("-{short}"),
                (None, None) => return None,
            };
            let equals = if arg.is_require_equals_set() { "=" } else { "" };
            Some(Candidate::new(name + equals, about))
        })
        .collect()
    }

    fn values(&self, arg: &Arg, prefix: &str, values: Values<'_>) -> Vec<Candidate> {
        let place = Place {
            path: &self.path,
            arg,
            prefix,
            said: &self.said,
        };
        if let Some(found) = values(&place) {
            return found;
        }
        let possible = arg.get_possible_values();
        if !possible.is_empty() {
            let shown = possible.iter().filter(|value| !value.is_hide_set());
            let candidates = shown.map(|value| {
                let about = value.get_help().map(ToString::to_string);
                Candidate::new(value.get_name(), first_line(about))
            });
            return candidates.collect();
        }
        match place.value_name() {
            "DIR" | "DIRECTORY" | "FOLDER" => paths("", prefix, true),
            // These are names that nobody has yet, or that only another program knows.
            "N" | "SIZE" | "SECONDS" | "TEXT" | "NAME" | "TIME" | "UUID" => Vec::new(),
            _ if is_path(arg) => paths("", prefix, false),
            _ => Vec::new(),
        }
    }
}

fn is_path(arg: &Arg) -> bool {
    use std::any::TypeId;
    arg.get_value_parser().type_id() == TypeId::of::<std::path::PathBuf>()
}

fn first_line(about: Option<String>) -> String {
    let about = about.unwrap_or_default();
    let line = about.lines().next().unwrap_or_default();
    line.trim_end_matches('.').to_owned()
}
