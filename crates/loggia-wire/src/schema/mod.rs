//! JSON Schema, bounded, without network.
