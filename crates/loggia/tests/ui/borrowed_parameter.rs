#![allow(unused_variables)]

use loggia::prelude::*;

struct Weather;

#[tools]
impl Weather {
    #[tool]
    async fn now(&self, city: &str, days: &[u8], any: impl ToString) -> String {
        String::new()
    }
}

fn main() {}
