#![allow(unused_variables)]

use loggia::prelude::*;

#[tool]
async fn now((a, b): (i64, i64)) -> i64 {
    a + b
}

#[tool]
async fn later<T: ToString>(a: T) -> String {
    a.to_string()
}

#[tool]
async fn whatever() -> impl ToString {
    1
}

fn main() {}
