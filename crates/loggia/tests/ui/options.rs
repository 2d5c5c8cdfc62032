#![allow(unused_variables)]

use loggia::prelude::*;

struct Weather;

#[tools]
impl Weather {
    #[tool(readonly, title)]
    async fn now(&self, #[arg(minimum = 1)] days: u8, #[arg(min)] hours: u8) -> String {
        String::new()
    }
}

#[tools("name")]
impl Weather {
    #[tool]
    async fn later(&self) {}
}

fn main() {}
