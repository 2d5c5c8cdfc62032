//! The binary `loggia`.

fn main() {}
