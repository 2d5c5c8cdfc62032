#![allow(unused_variables)]

use loggia::prelude::*;

struct Alerts;
struct Weather;

#[tools]
impl Weather {
    #[tool]
    async fn now(&self) -> Alerts {
        Alerts
    }

    #[tool]
    async fn later(&self) -> Result<Alerts, ToolError> {
        Ok(Alerts)
    }

    #[tool]
    async fn never(&self) -> Result<String, String> {
        Ok(String::new())
    }
}

fn main() {}
