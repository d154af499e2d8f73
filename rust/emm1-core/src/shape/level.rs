//! How much of a row's codes a product includes.

/// Which codes of a row a product includes; each level adds a plane to the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    /// The high nibbles of the first part.
    FirstHigh,
    /// All high nibbles.
    High,
    /// All high nibbles, and the low nibbles of the first part.
    FirstBytes,
    /// The whole bytes.
    Bytes,
}

impl Level {
    pub(crate) const ALL: [Self; 4] = [Self::FirstHigh, Self::High, Self::FirstBytes, Self::Bytes];

    /// The part of the components that the plane of this level holds.
    pub(crate) fn part(self) -> usize {
        self as usize % 2
    }

    /// The weight of a nibble of its plane within a byte.
    pub(crate) fn weight(self) -> i32 {
        match self {
            Self::FirstHigh | Self::High => 16,
            Self::FirstBytes | Self::Bytes => 1,
        }
    }
}
