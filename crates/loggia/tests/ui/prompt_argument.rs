#![allow(unused_variables)]

use loggia::prelude::*;

#[prompt]
async fn review(lines: Vec<u8>) -> String {
    String::new()
}

fn main() {}
