#![allow(unused_variables)]

use loggia::prelude::*;

struct Weather;

impl Weather {
    #[tool]
    async fn now(&self) -> String {
        String::new()
    }
}

#[tools]
impl Weather {
    async fn later(&self) -> String {
        String::new()
    }
}

#[tools]
struct Other;

fn main() {}
