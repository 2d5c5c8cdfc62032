//! [`VecMap`]: a map for few entries, in the order of their insertion.
//!
//! The compiler repeats the standard maps for every type, with several kilobytes each; this map is a vector and a
//! search.

use std::borrow::Borrow;
use std::iter::Map;
use std::{slice, vec};

/// Values by key, in the order of their insertion. A lookup compares with each key in turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VecMap<K, V>(Vec<(K, V)>);

impl<K: PartialEq, V> VecMap<K, V> {
    /// Returns a map without entries.
    pub const fn new() -> VecMap<K, V> {
        VecMap(Vec::new())
    }

    /// Returns the number of entries.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns whether there are no entries.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the value of `key`.
    pub fn get<Q: PartialEq + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.position(key).map(|at| &self.0[at].1)
    }

    /// Returns a mutable reference to the value of `key`.
    pub fn get_mut<Q: PartialEq + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        self.position(key).map(|at| &mut self.0[at].1)
    }

    /// Returns whether `key` has a value.
    pub fn contains_key<Q: PartialEq + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.position(key).is_some()
    }

    /// Sets the value of `key` and returns the one it had before.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        match self.position(&key) {
            Some(at) => Some(std::mem::replace(&mut self.0[at].1, value)),
            None => {
                self.0.push((key, value));
                None
            }
        }
    }

    /// Removes `key` and returns its value.
    pub fn remove<Q: PartialEq + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        self.position(key).map(|at| self.0.remove(at).1)
    }

    /// Removes and returns the first entry.
    pub fn pop_first(&mut self) -> Option<(K, V)> {
        if self.0.is_empty() { None } else { Some(self.0.remove(0)) }
    }

    /// Returns the entries.
    pub fn iter(&self) -> VecMapIter<'_, K, V> {
        self.into_iter()
    }

    /// Returns the keys.
    pub fn keys(&self) -> impl Iterator<Item = &K> {
        self.0.iter().map(|(key, _)| key)
    }

    /// Returns the values.
    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.0.iter().map(|(_, value)| value)
    }

    /// Returns mutable references to the values.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.0.iter_mut().map(|(_, value)| value)
    }

    /// Returns the keys without the values.
    pub fn into_keys(self) -> impl Iterator<Item = K> {
        self.0.into_iter().map(|(key, _)| key)
    }

    /// Returns the values without the keys.
    pub fn into_values(self) -> impl Iterator<Item = V> {
        self.0.into_iter().map(|(_, value)| value)
    }

    /// Keeps the entries that `keep` accepts.
    pub fn retain(&mut self, mut keep: impl FnMut(&K, &mut V) -> bool) {
        self.0.retain_mut(|(key, value)| keep(key, value));
    }

    /// Adds an entry whose key the caller knows to be new, without a lookup.
    pub(crate) fn push_new(&mut self, key: K, value: V) {
        self.0.push((key, value));
    }

    fn position<Q: PartialEq + ?Sized>(&self, key: &Q) -> Option<usize>
    where
        K: Borrow<Q>,
    {
        self.0.iter().position(|(other, _)| other.borrow() == key)
    }
}

impl<K, V> Default for VecMap<K, V> {
    fn default() -> VecMap<K, V> {
        VecMap(Vec::new())
    }
}

/// See [`VecMap::iter`].
pub type VecMapIter<'a, K, V> = Map<slice::Iter<'a, (K, V)>, fn(&'a (K, V)) -> (&'a K, &'a V)>;

impl<'a, K, V> IntoIterator for &'a VecMap<K, V> {
    type Item = (&'a K, &'a V);
    type IntoIter = VecMapIter<'a, K, V>;

    fn into_iter(self) -> VecMapIter<'a, K, V> {
        self.0.iter().map(|(key, value)| (key, value))
    }
}

impl<K, V> IntoIterator for VecMap<K, V> {
    type Item = (K, V);
    type IntoIter = vec::IntoIter<(K, V)>;

    fn into_iter(self) -> vec::IntoIter<(K, V)> {
        self.0.into_iter()
    }
}

impl<K: PartialEq, V> Extend<(K, V)> for VecMap<K, V> {
    fn extend<I: IntoIterator<Item = (K, V)>>(&mut self, entries: I) {
        for (key, value) in entries {
            self.insert(key, value);
        }
    }
}

impl<K: PartialEq, V> FromIterator<(K, V)> for VecMap<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> VecMap<K, V> {
        let mut map = VecMap::new();
        map.extend(entries);
        map
    }
}

impl<K: PartialEq, V, const N: usize> From<[(K, V); N]> for VecMap<K, V> {
    fn from(entries: [(K, V); N]) -> VecMap<K, V> {
        entries.into_iter().collect()
    }
}

impl<K: PartialEq + Borrow<Q>, Q: PartialEq + ?Sized, V> std::ops::Index<&Q> for VecMap<K, V> {
    type Output = V;

    /// Returns the value of `key`, which must be there.
    fn index(&self, key: &Q) -> &V {
        self.get(key).expect("the key of an indexed map exists")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn entries_stay_in_the_order_of_their_insertion() {
        let mut map = VecMap::from([("z", 1), ("a", 2), ("m", 3)]);
        map.insert("a", 4);
        assert!(map.iter().eq([(&"z", &1), (&"a", &4), (&"m", &3)]));
    }

    proptest! {
        #[test]
        fn it_does_what_a_map_does(steps in proptest::collection::vec((0_u8..3, 0_u8..12, any::<u16>()), 0..60)) {
            let (mut map, mut vec_map) = (BTreeMap::new(), VecMap::new());
            for (step, key, value) in steps {
                match step {
                    0 => prop_assert_eq!(vec_map.remove(&key), map.remove(&key)),
                    _ => prop_assert_eq!(vec_map.insert(key, value), map.insert(key, value)),
                }
                prop_assert_eq!(vec_map.get(&key), map.get(&key));
                prop_assert_eq!(vec_map.contains_key(&key), map.contains_key(&key));
            }
            vec_map.retain(|key, _| key % 2 == 0);
            map.retain(|key, _| key % 2 == 0);
            prop_assert_eq!(vec_map.len(), map.len());
            let mut entries: Vec<_> = vec_map.into_iter().collect();
            entries.sort_unstable();
            prop_assert!(entries.into_iter().eq(map));
        }
    }
}
