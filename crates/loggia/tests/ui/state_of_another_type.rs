#![allow(unused_variables)]

use loggia::prelude::*;

struct Weather;

#[tools]
impl Weather {
    #[tool]
    async fn now(&self) {}
}

#[tool]
async fn of_weather(#[state] state: &Weather) {}

fn main() {
    let _ = Server::new("weather", "1").tools(Weather::tools());
    let _ = Server::new("weather", "1").tool(of_weather);
    let _ = Server::new("weather", "1").tool("text");
}
