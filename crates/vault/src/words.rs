//! Enums that are stored and written as words.

/// The words of an enum of states: as the catalog stores them, and as people write them.
macro_rules! words {
    ($name:ident, $what:literal: $($case:ident = $word:literal),+) => {
        impl $name {
            /// All of them.
            pub const ALL: &'static [$name] = &[$($name::$case),+];

            /// Its word.
            #[must_use]
            pub fn word(self) -> &'static str {
                match self { $($name::$case => $word),+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.word())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::words::UnknownWord;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let mut all = Self::ALL.iter();
                all.find(|one| one.word() == text).copied().ok_or_else(|| $crate::words::UnknownWord {
                    what: $what,
                    text: text.to_owned(),
                    known: [$($word),+].join(", "),
                })
            }
        }
    };
}
pub(crate) use words;

/// A word that is no state.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{text}' is no {what}: that is one of {known}")]
pub struct UnknownWord {
    /// What was wanted.
    pub what: &'static str,
    /// What was found.
    pub text: String,
    /// All words that there are.
    pub known: String,
}
