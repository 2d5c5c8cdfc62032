#![allow(unused_variables)]

use loggia::prelude::*;

struct Weather;

#[tools]
impl Weather {
    #[tool]
    async fn now(&self, cx: Cx) -> String {
        String::new()
    }
}

fn main() {}
