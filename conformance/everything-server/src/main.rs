//! The server that the official conformance suite is run against.

fn main() {}
