//! A tape drive over an image.
