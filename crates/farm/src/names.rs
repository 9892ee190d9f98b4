//! What the farm's own files are called, beside capsules.

/// The name of a volume's directory.
pub const DIRECTORY_NAME: &str = "FILE000.dir";
/// What is being made has this behind its name; what is left over of it is nothing.
pub(crate) const TEMPORARY: &str = ".tmp";
/// A folder that a file system makes in its top folder.
pub(crate) const LOST_AND_FOUND: &str = "lost+found";
