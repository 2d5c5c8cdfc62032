//! The time as an MCP server.

use jiff::Zoned;
use jiff::tz::TimeZone;
use loggia::server::{Cx, Json, ToolError};
use loggia::{JsonSchema, Server, tools};
use serde::Serialize;

use super::moment::{Moment, TimeDifference, TimeError, difference, read, zone};

/// The tools of the time.
struct TimeTools {
    usual: TimeZone,
}

/// A time in several zones.
#[derive(Debug, Serialize, JsonSchema)]
struct ConvertResult {
    /// The time as it was given
    from: Moment,
    /// The time in each zone
    to: Vec<Moment>,
}

/// Makes a server of the time. Times without a zone are in `usual`, an IANA name.
pub fn server(usual: &str) -> loggia::Result<Server> {
    let usual = zone(usual).map_err(|error| loggia::Error::Configuration(error.to_string()))?;
    let name = usual.iana_name().unwrap_or("UTC").to_owned();
    Server::new("time", env!("CARGO_PKG_VERSION"))
        .title("Time")
        .instructions(format!(
            "The time now, in any zone; conversions and differences. Zones have IANA names such as Europe/Berlin; a time without a \
             zone is in {name}."
        ))
        .state(TimeTools { usual })
        .tools(TimeTools::tools())
        .build()
}

#[tools]
impl TimeTools {
    /// Returns the date and the time now.
    #[tool(title = "Time now", read_only, open_world = false)]
    async fn now(
        &self,
        _cx: &Cx,
        /// The zone, for example Europe/Berlin
        zone: Option<String>,
    ) -> Result<Json<Moment>, ToolError> {
        let zone = self.zone(zone.as_deref())?;
        Ok(Json(Moment::of(&self.clock().with_time_zone(zone), None)))
    }

    /// Reads a time in one of many forms, and returns its parts.
    #[tool(title = "Read a time", read_only, open_world = false)]
    async fn parse(
        &self,
        _cx: &Cx,
        /// The time, for example 2026-01-31T15:30, 15:30, or seconds since 1970
        time: String,
        /// The zone of a time that has none
        zone: Option<String>,
    ) -> Result<Json<Moment>, ToolError> {
        let (time, note) = self.time(&time, zone.as_deref())?;
        Ok(Json(Moment::of(&time, note)))
    }

    /// Converts a time to other zones.
    #[tool(title = "Convert a time", read_only, open_world = false)]
    async fn convert(
        &self,
        _cx: &Cx,
        /// The time
        time: String,
        /// The zones to convert to
        #[arg(min_items = 1, max_items = 50)]
        to: Vec<String>,
        /// The zone of a time that has none
        zone: Option<String>,
    ) -> Result<Json<ConvertResult>, ToolError> {
        let (time, note) = self.time(&time, zone.as_deref())?;
        let convert = |name: &String| Ok(Moment::of(&time.with_time_zone(self.zone(Some(name))?), None));
        let to = to.iter().map(convert).collect::<Result<_, ToolError>>()?;
        Ok(Json(ConvertResult { from: Moment::of(&time, note), to }))
    }

    /// Returns the time between two times, in calendar units and in seconds.
    #[tool(title = "Difference of times", read_only, open_world = false)]
    async fn difference(
        &self,
        _cx: &Cx,
        /// The start
        start: String,
        /// The end; now if it is left out
        end: Option<String>,
        /// The zone of times that have none
        zone: Option<String>,
    ) -> Result<Json<TimeDifference>, ToolError> {
        let start = self.time(&start, zone.as_deref())?;
        let end = match end {
            Some(end) => self.time(&end, zone.as_deref())?,
            None => (self.clock().with_time_zone(self.zone(zone.as_deref())?), None),
        };
        difference(&start, &end).map(Json).map_err(say)
    }
}

impl TimeTools {
    fn clock(&self) -> Zoned {
        jiff::Timestamp::now().to_zoned(self.usual.clone())
    }

    fn zone(&self, name: Option<&str>) -> Result<TimeZone, ToolError> {
        name.map_or_else(|| Ok(self.usual.clone()), zone).map_err(say)
    }

    fn time(&self, text: &str, zone: Option<&str>) -> Result<(Zoned, Option<String>), ToolError> {
        read(text, &self.zone(zone)?, &self.clock()).map_err(say)
    }
}

fn say(error: TimeError) -> ToolError {
    ToolError::say(error.to_string())
}
