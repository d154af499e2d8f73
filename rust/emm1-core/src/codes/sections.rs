//! The container of codes: a header and a table of typed sections.
//!
//! ```text
//! 64 bytes   "emm1cod4", then u64 each: rows, dims, dtype of the embedding file, number of sections, length of this file,
//!            CRC-32 of the 48 bytes before it and of the table; zeros
//! table      sections × 32 bytes: kind (8 bytes of text, padded with zeros), u64 each: offset, length, CRC-32 of the
//!            section (0 if it has its own checksums, or may be written later)
//! sections   each at a multiple of 64 bytes, a cache line; zeros fill the gaps
//! ```
//!
//! All numbers are little-endian. Sections of unknown kinds are ignored, so that kinds can be added.

use std::ops::Range;

const MAGIC: &[u8; 8] = b"emm1cod4";
/// The prefix of every version of the format.
const FAMILY: &[u8; 7] = b"emm1cod";
const HEADER: usize = 64;
/// Bytes of the header that its checksum covers.
const COVERED: usize = 48;
const ENTRY: usize = 32;
/// Bytes of a cache line: a load that crosses two of them is slower.
const LINE: usize = 64;

/// The kind of a section: text, padded with zeros.
pub(super) type SectionKind = [u8; 8];

/// What was coded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) rows: usize,
    pub(super) dims: usize,
    pub(super) dtype: usize,
}

/// The table of sections.
#[derive(Debug)]
pub(super) struct Sections {
    table: Vec<Section>,
    end: usize,
}

#[derive(Debug)]
struct Section {
    kind: SectionKind,
    place: Range<usize>,
    checksum: u32,
}

impl Sections {
    /// Lays out sections of these lengths one after another; None if no file can be that long.
    pub(super) fn place(lengths: &[(SectionKind, Option<usize>)]) -> Option<Self> {
        let mut end = HEADER + lengths.len() * ENTRY;
        let mut table = Vec::with_capacity(lengths.len());
        for &(kind, length) in lengths {
            let begin = end.checked_next_multiple_of(LINE)?;
            end = begin.checked_add(length?)?;
            table.push(Section { kind, place: begin..end, checksum: 0 });
        }
        i64::try_from(end).ok()?;
        Some(Self { table, end })
    }

    /// Reads header and table; None if they are damaged or the file does not have the recorded length.
    pub(super) fn read(bytes: &[u8]) -> Option<(Shape, Self)> {
        if !bytes.starts_with(MAGIC) || bytes.len() < HEADER {
            return None;
        }
        let count = usize::try_from(word(bytes, 32)).ok()?;
        let table = bytes.get(HEADER..count.checked_mul(ENTRY)?.checked_add(HEADER)?)?;
        if word(bytes, COVERED) != u64::from(checksum(&bytes[..COVERED], table))
            || word(bytes, 40) != bytes.len() as u64
        {
            return None;
        }
        let [rows, dims, dtype] = [8, 16, 24].map(|at| word(bytes, at) as usize);
        let entry = |entry: &[u8; ENTRY]| {
            let [begin, length, checksum] = [8, 16, 24].map(|at| word(entry, at) as usize);
            let place = begin..begin.checked_add(length)?;
            let sound = place.end <= bytes.len()
                && (checksum == 0 || crc32fast::hash(&bytes[place.clone()]) as usize == checksum);
            sound.then_some(Section { kind: *entry.first_chunk()?, place, checksum: checksum as u32 })
        };
        let table = table.as_chunks().0.iter().map(entry).collect::<Option<_>>()?;
        Some((Shape { rows, dims, dtype }, Self { table, end: bytes.len() }))
    }

    /// Whether a file has this format, in any version.
    pub(super) fn is_of_the_family(bytes: &[u8]) -> bool {
        bytes.starts_with(FAMILY)
    }

    /// Whether a file has this version of the format.
    pub(super) fn is_of_this_version(bytes: &[u8]) -> bool {
        bytes.starts_with(MAGIC)
    }

    /// The byte range of the section of a kind.
    pub(super) fn get(&self, kind: &SectionKind) -> Option<Range<usize>> {
        self.table.iter().find(|entry| entry.kind == *kind).map(|entry| entry.place.clone())
    }

    /// Stores the checksum of a section's content in the table.
    pub(super) fn set_checksum(&mut self, kind: &SectionKind, content: &[u8]) {
        let entry = self.table.iter_mut().find(|entry| entry.kind == *kind);
        entry.expect("the section has a place").checksum = crc32fast::hash(content);
    }

    /// The length of the file.
    pub(super) fn end(&self) -> usize {
        self.end
    }

    /// Header and table.
    pub(super) fn header(&self, shape: Shape) -> Vec<u8> {
        let mut header = MAGIC.to_vec();
        let words = [shape.rows, shape.dims, shape.dtype, self.table.len(), self.end];
        header.extend(words.into_iter().flat_map(|word| (word as u64).to_le_bytes()));
        let table: Vec<u8> = self.table.iter().flat_map(Section::to_bytes).collect();
        header.extend(u64::from(checksum(&header, &table)).to_le_bytes());
        header.resize(HEADER, 0);
        header.extend(table);
        header
    }
}

impl Section {
    fn to_bytes(&self) -> [u8; ENTRY] {
        let words = [self.place.start as u64, self.place.len() as u64, self.checksum.into()];
        let mut bytes = [0; ENTRY];
        bytes[..8].copy_from_slice(&self.kind);
        bytes[8..].chunks_exact_mut(8).zip(words).for_each(|(place, word)| place.copy_from_slice(&word.to_le_bytes()));
        bytes
    }
}

fn word(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}

fn checksum(header: &[u8], table: &[u8]) -> u32 {
    let mut checksum = crc32fast::Hasher::new();
    checksum.update(header);
    checksum.update(table);
    checksum.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SHAPE: Shape = Shape { rows: 3, dims: 5, dtype: 1 };

    fn example() -> Vec<u8> {
        let mut sections = Sections::place(&[(*b"mean\0\0\0\0", Some(20)), (*b"later\0\0\0", Some(7))]).unwrap();
        sections.set_checksum(b"mean\0\0\0\0", &[7; 20]);
        let mut bytes = sections.header(SHAPE);
        bytes.resize(sections.end(), 0);
        bytes[sections.get(b"mean\0\0\0\0").unwrap()].fill(7);
        bytes
    }

    #[test]
    fn what_was_written_is_read() {
        let bytes = example();
        let (shape, sections) = Sections::read(&bytes).unwrap();
        assert_eq!(shape, SHAPE);
        assert_eq!(&bytes[sections.get(b"mean\0\0\0\0").unwrap()], &[7; 20]);
        assert_eq!(sections.get(b"later\0\0\0").unwrap().len(), 7);
        assert!(sections.get(b"none\0\0\0\0").is_none());
        assert!(Sections::place(&[(*b"mean\0\0\0\0", Some(usize::MAX)), (*b"x\0\0\0\0\0\0\0", Some(1))]).is_none());
    }

    #[test]
    fn a_flipped_bit_of_header_table_or_section_is_seen() {
        let bytes = example();
        let (_, sections) = Sections::read(&bytes).unwrap();
        let covered = (0..COVERED + 8).chain(HEADER..HEADER + 2 * ENTRY).chain(sections.get(b"mean\0\0\0\0").unwrap());
        for at in covered {
            for bit in 0..8 {
                let mut damaged = bytes.clone();
                damaged[at] ^= 1 << bit;
                assert!(Sections::read(&damaged).is_none(), "byte {at}");
            }
        }
    }

    proptest! {
        #[test]
        fn never_panics(body in prop::collection::vec(any::<u8>(), 0..300), cut in 0usize..300) {
            let mut bytes = MAGIC.to_vec();
            bytes.extend(&body);
            let _ = Sections::read(&bytes);
            let example = example();
            let _ = Sections::read(&example[..cut.min(example.len())]);
        }
    }
}
