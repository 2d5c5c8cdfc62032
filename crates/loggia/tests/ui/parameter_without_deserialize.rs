#![allow(unused_variables)]

use loggia::prelude::*;

#[derive(JsonSchema)]
struct City {
    name: String,
}

#[tool]
async fn now(city: City) -> String {
    city.name
}

fn main() {}
