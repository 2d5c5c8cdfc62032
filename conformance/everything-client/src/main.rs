//! The client that the official conformance suite is run against.

fn main() {}
