//! A server in ten lines, on standard streams. Call it with
//! `cargo run --release -- call now city=Oslo -- cargo run -q -p example-weather`.

use loggia::prelude::*;

struct Weather {
    unit: &'static str,
}

#[tools]
impl Weather {
    /// The weather in a city.
    #[tool(read_only)]
    async fn now(
        &self,
        /** The city's name */
        city: String,
    ) -> Result<String, ToolError> {
        match city.as_str() {
            "Oslo" => Ok(format!("-3 {} and clear", self.unit)),
            other => Err(ToolError::say(format!("no city {other:?}; did you mean Oslo?"))),
        }
    }
}

#[tokio::main]
async fn main() -> loggia::Result<()> {
    loggia::server!().state(Weather { unit: "°C" }).tools(Weather::tools()).serve(stdio()).await
}
