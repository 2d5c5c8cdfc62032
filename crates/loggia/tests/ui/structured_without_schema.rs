#![allow(unused_variables)]

use loggia::prelude::*;

#[derive(serde::Serialize)]
struct Alerts {
    count: u8,
}

struct Weather;

#[tools]
impl Weather {
    #[tool]
    async fn now(&self) -> Result<Json<Alerts>, ToolError> {
        Ok(Json(Alerts { count: 0 }))
    }
}

fn main() {}
