//! Not built yet: see the crate map in ARCHITECTURE.md.
