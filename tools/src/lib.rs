//! The pseudotape command.
