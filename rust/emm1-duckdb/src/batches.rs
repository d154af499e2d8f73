//! Rows with the same arguments are answered together.

use std::collections::HashMap;
use std::hash::Hash;

/// Groups rows by key, in the order in which the keys first occur; rows without a key are skipped.
pub(crate) fn by_key<K: Hash + Eq + Clone>(keys: impl Iterator<Item = Option<K>>) -> Vec<(K, Vec<usize>)> {
    let mut places: HashMap<K, usize> = HashMap::new();
    let mut groups: Vec<(K, Vec<usize>)> = Vec::new();
    for (row, key) in keys.enumerate() {
        let Some(key) = key else { continue };
        let place = *places.entry(key.clone()).or_insert(groups.len());
        if place == groups.len() {
            groups.push((key, Vec::new()));
        }
        groups[place].1.push(row);
    }
    groups
}

#[cfg(test)]
mod tests {
    #[test]
    fn rows_by_key() {
        let keys = [Some("b"), None, Some("a"), Some("b")];
        assert_eq!(super::by_key(keys.into_iter()), [("b", vec![0, 3]), ("a", vec![2])]);
    }
}
