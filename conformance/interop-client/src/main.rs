//! Our client, driven through a plan of the interoperability tests.

fn main() {}
