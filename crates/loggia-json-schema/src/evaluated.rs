//! The locations of a value that some subschema evaluated (JSON Schema 2020-12, section 11).
//!
//! `unevaluatedItems` and `unevaluatedProperties` exclude them. They are collected only for these keywords.

use std::collections::HashSet;

/// The evaluated parts of one array or object.
#[derive(Debug, Default)]
pub(super) struct EvaluatedLocations<'v> {
    all_properties: bool,
    properties: HashSet<&'v str>,
    all_items: bool,
    /// The items before this index.
    prefix: usize,
    items: HashSet<usize>,
}

impl<'v> EvaluatedLocations<'v> {
    pub(super) fn property(&mut self, name: &'v str) {
        self.properties.insert(name);
    }

    pub(super) fn all_properties(&mut self) {
        self.all_properties = true;
    }

    pub(super) fn item(&mut self, index: usize) {
        self.items.insert(index);
    }

    pub(super) fn prefix(&mut self, length: usize) {
        self.prefix = self.prefix.max(length);
    }

    pub(super) fn all_items(&mut self) {
        self.all_items = true;
    }

    pub(super) fn has_property(&self, name: &str) -> bool {
        self.all_properties || self.properties.contains(name)
    }

    pub(super) fn has_item(&self, index: usize) -> bool {
        self.all_items || index < self.prefix || self.items.contains(&index)
    }

    pub(super) fn merge(&mut self, other: EvaluatedLocations<'v>) {
        self.all_properties |= other.all_properties;
        self.properties.extend(other.properties);
        self.all_items |= other.all_items;
        self.prefix(other.prefix);
        self.items.extend(other.items);
    }

    /// Returns the cost of merging these locations into others: the number of properties and items.
    pub(super) fn cost(&self) -> usize {
        self.properties.len() + self.items.len()
    }
}
