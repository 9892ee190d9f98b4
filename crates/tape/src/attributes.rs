//! Attributes of a medium: short values beside the data, as a cartridge keeps them in its chip (SPC-4, "MAM").

use std::collections::BTreeMap;

/// How the value of an attribute is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttributeFormat {
    /// Bytes.
    Binary,
    /// ASCII.
    Ascii,
    /// Text in the character set that attribute 0805h says.
    Text,
}

/// One attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attribute {
    /// How its value is meant.
    pub format: AttributeFormat,
    /// Its value.
    pub value: Vec<u8>,
}

/// The attributes of one partition by their identifiers, as programs wrote them. Those that belong to the whole medium
/// are with partition 0.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attributes(BTreeMap<u16, Attribute>);

impl Attributes {
    /// None.
    #[must_use]
    pub fn new() -> Self {
        Attributes::default()
    }

    /// The one with this identifier.
    #[must_use]
    pub fn get(&self, id: u16) -> Option<&Attribute> {
        self.0.get(&id)
    }

    /// Puts one in the place of what was there.
    pub fn insert(&mut self, id: u16, attribute: Attribute) {
        self.0.insert(id, attribute);
    }

    /// Takes one away.
    pub fn remove(&mut self, id: u16) {
        self.0.remove(&id);
    }

    /// All, by their identifiers in rising order.
    pub fn iter(&self) -> impl Iterator<Item = (u16, &Attribute)> {
        self.0.iter().map(|(id, attribute)| (*id, attribute))
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Lengths of all values.
    #[must_use]
    pub fn value_bytes(&self) -> usize {
        self.0.values().map(|attribute| attribute.value.len()).sum()
    }

    /// Those that are the same in both.
    #[must_use]
    pub fn common(&self, other: &Attributes) -> Attributes {
        let same = self
            .0
            .iter()
            .filter(|(id, attribute)| other.0.get(id) == Some(attribute));
        Attributes(
            same.map(|(id, attribute)| (*id, attribute.clone()))
                .collect(),
        )
    }
}

impl FromIterator<(u16, Attribute)> for Attributes {
    fn from_iter<I: IntoIterator<Item = (u16, Attribute)>>(list: I) -> Self {
        Attributes(list.into_iter().collect())
    }
}
