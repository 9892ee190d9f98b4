//! What the Linux st driver does, over any drive.
