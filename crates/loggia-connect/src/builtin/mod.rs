//! Connectors that need no other program: they live in this process.

pub mod files;
