#![allow(unused_variables)]

use loggia::JsonSchema;

#[derive(JsonSchema)]
#[serde(untagged)]
enum Either {
    Left(u8),
    Right(String),
}

#[derive(JsonSchema)]
union Bits {
    a: u32,
    b: f32,
}

struct Plain;

#[derive(JsonSchema)]
struct Holder {
    plain: Plain,
    list: Vec<Plain>,
    #[schema(header)]
    wrong: u8,
}

#[derive(JsonSchema)]
struct Good {
    plain: Plain,
}

fn main() {}
