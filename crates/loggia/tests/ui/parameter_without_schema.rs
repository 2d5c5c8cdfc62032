#![allow(unused_variables)]

use loggia::prelude::*;

struct City;
struct Weather;

#[tools]
impl Weather {
    #[tool]
    async fn now(&self, city: City) -> String {
        String::new()
    }
}

fn main() {}
