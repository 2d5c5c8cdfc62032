#![allow(unused_variables)]

use loggia::prelude::*;

#[resource("weather://{city}/{day}")]
async fn now(city: String, hour: u8) -> String {
    city
}

#[resource]
async fn nowhere() -> String {
    String::new()
}

fn main() {}
