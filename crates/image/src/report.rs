use std::fmt;

/// Objects lost because their frames are damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// Where the first damaged frame should be.
    pub offset: u64,
    /// From there to the next whole record.
    pub bytes: u64,
    /// The first object lost.
    pub first_object: u64,
    /// How many objects are lost; 0 where only index records are.
    pub objects: u64,
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} {} from object {} on {} lost, {} bytes at byte {} of the image are not readable as records",
            self.objects,
            if self.objects == 1 {
                "object"
            } else {
                "objects"
            },
            self.first_object,
            if self.objects == 1 { "is" } else { "are" },
            self.bytes,
            self.offset
        )
    }
}

/// What lies behind the last whole record, left by an interrupted write. Nothing of it was committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TornTail {
    /// Where it begins: the end of the last whole record.
    pub offset: u64,
    /// Its length.
    pub bytes: u64,
    /// The object that the next write will make: what is lost was this one and later ones.
    pub object: u64,
}

/// Committed data that are not there any more: the file was cut, or what lay at its end was destroyed.
///
/// Such an image is write protected until [`Image::accept_loss`](crate::Image::accept_loss): one write would hide
/// what was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Missing {
    /// The first object that may be lost: the data end before it now.
    pub from_object: u64,
    /// From the last whole record to where the last commit ended.
    pub bytes: u64,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "committed data are missing: {} bytes from object {} on",
            self.bytes, self.from_object
        )
    }
}

/// What opening an image found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OpenReport {
    /// An interrupted write, cut back (on the file itself with the first write or at the end).
    pub torn_tail: Option<TornTail>,
    /// Gaps found while the records after the last index root were read.
    pub gaps: Vec<Gap>,
    /// No index root was usable: all frames were read to make the index anew.
    pub index_rebuilt: bool,
    /// Records whose frames were read to find the end of data.
    pub scanned_records: u64,
    /// The header was damaged, its copy served.
    pub header_copy_used: bool,
    /// The header was whole, and its copy was not, or says something else: the next damage would cost the image.
    pub header_copy_damaged: bool,
    /// How many of the two slots of mutable state were unreadable; with 2, label and barcode are
    /// lost and the image counts as write protected until told otherwise.
    pub damaged_slots: u8,
    /// Committed data at the end are not there any more, as in an incomplete copy of the file.
    pub missing: Option<Missing>,
    /// A slot is unreadable, and no record of the end of data says where the data end: what was last on the volume may
    /// be gone. A power cut in the middle of a slot's block leaves the same.
    pub end_unknown: bool,
}

impl OpenReport {
    /// Whether something that was committed is damaged or missing.
    ///
    /// Not what a crash or a power failure leaves of a whole image: an interrupted write behind the last
    /// commit, an index that has to be made anew. A state slot that was just being written while the other one holds
    /// counts where nothing else says where the data end: later damage of the newer slot looks the same.
    #[must_use]
    pub fn is_damaged(&self) -> bool {
        !self.gaps.is_empty()
            || self.header_copy_used
            || self.header_copy_damaged
            || self.damaged_slots == 2
            || self.end_unknown
            || self.missing.is_some()
    }

    /// Whether there was nothing to report.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.torn_tail.is_none()
            && self.gaps.is_empty()
            && !self.index_rebuilt
            && !self.header_copy_used
            && !self.header_copy_damaged
            && self.damaged_slots == 0
            && self.missing.is_none()
    }
}

impl fmt::Display for OpenReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_clean() {
            return f.write_str("image is whole");
        }
        let mut separator = "";
        let mut part = |f: &mut fmt::Formatter<'_>, text: fmt::Arguments<'_>| {
            let done = write!(f, "{separator}{text}");
            separator = "; ";
            done
        };
        if let Some(torn) = self.torn_tail {
            part(
                f,
                format_args!(
                    "interrupted write cut back: {} bytes at byte {}, from object {} on, which was never committed",
                    torn.bytes, torn.offset, torn.object
                ),
            )?;
        }
        for gap in &self.gaps {
            part(f, format_args!("gap: {gap}"))?;
        }
        if self.index_rebuilt {
            part(
                f,
                format_args!("index made anew from {} records", self.scanned_records),
            )?;
        }
        if self.header_copy_used {
            part(
                f,
                format_args!(
                    "header damaged, its copy used: 'pseudotape copy' makes a whole image"
                ),
            )?;
        }
        if self.header_copy_damaged {
            part(
                f,
                format_args!(
                    "the copy of the header is damaged or another volume's, the header used: 'pseudotape copy' makes a \
                     whole image"
                ),
            )?;
        }
        if self.damaged_slots == 1 {
            part(
                f,
                format_args!("one of two state slots unreadable, the other used"),
            )?;
            if self.end_unknown {
                part(
                    f,
                    format_args!("nothing else says where the data end: the last may be missing"),
                )?;
            }
        }
        if self.damaged_slots == 2 {
            part(
                f,
                format_args!(
                    "both state slots damaged: label lost, write protected until switched off"
                ),
            )?;
        }
        if let Some(missing) = self.missing {
            part(
                f,
                format_args!(
                    "{missing}; write protected until 'pseudotape accept-loss' lets it be written"
                ),
            )?;
        }
        Ok(())
    }
}
