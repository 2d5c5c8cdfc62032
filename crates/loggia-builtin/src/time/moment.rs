//! Times of callers, and the same times in other zones.

use std::fmt;

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{Timestamp, Unit, Zoned, ZonedDifference};
use loggia::JsonSchema;
use serde::Serialize;

/// The longest time of a caller, in bytes.
const MOST_TEXT: usize = 200;

/// The maximum number of zones in a suggestion.
const MOST_SUGGESTIONS: usize = 5;

/// A time in a zone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Moment {
    /// The time with its offset (RFC 3339)
    pub time: String,
    /// The zone
    pub zone: String,
    /// The day of the week
    pub weekday: String,
    /// The offset from UTC, such as +02:00
    pub offset: String,
    /// True if the clock is set forward for the summer
    pub daylight_saving: bool,
    /// The seconds since 1970 in UTC
    pub unix: i64,
    /// The week of the year (ISO 8601), such as 2026-W05
    pub week: String,
    /// The day of the year
    pub day_of_year: i16,
    /// A note on a time that does not exist, or exists twice, because the clock is changed
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// The time between two moments.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct TimeDifference {
    /// The start
    pub start: Moment,
    /// The end
    pub end: Moment,
    /// The difference in calendar units (ISO 8601), such as P1M3DT2H; negative if the end is before the start
    pub duration: String,
    /// The difference in words, such as 1 month, 3 days, 2 hours
    pub words: String,
    /// The difference in seconds
    pub seconds: f64,
    /// The number of midnights between them
    pub days: i64,
}

/// The reason why a time or a zone cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum TimeError {
    /// There is no zone of this name.
    UnknownZone {
        /// The name.
        zone: String,
        /// Names that may have been meant.
        suggestions: Vec<String>,
    },
    /// The text is no time.
    Unreadable(String),
    /// The result is outside of the years -9999 to 9999.
    Range,
}

impl fmt::Display for TimeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TimeError::UnknownZone { zone, suggestions } if suggestions.is_empty() => {
                write!(f, "there is no zone {zone:?}; write an IANA name such as Europe/Berlin, or UTC")
            }
            TimeError::UnknownZone { zone, suggestions } => {
                write!(f, "there is no zone {zone:?}; did you mean {}?", suggestions.join(", "))
            }
            TimeError::Unreadable(text) => write!(
                f,
                "{text:?} is no time: write 2026-01-31T15:30, 2026-01-31, 15:30, 2026-01-31T15:30:00+01:00, \
                 2026-01-31T15:30[Europe/Berlin], Sat, 31 Jan 2026 15:30:00 +0100, or the seconds since 1970"
            ),
            TimeError::Range => f.write_str("the time is outside of the years -9999 to 9999"),
        }
    }
}

impl std::error::Error for TimeError {}

/// Returns a zone by its name, or by an offset such as +02:00.
pub(super) fn zone(name: &str) -> Result<TimeZone, TimeError> {
    let name = name.trim();
    let offset = || {
        let text = format!("1970-01-01T00:00:00{name}");
        let is_offset = name.starts_with(['+', '-']) && text.parse::<Timestamp>().is_ok();
        is_offset.then(|| jiff::fmt::temporal::DateTimeParser::new().parse_time_zone(name).ok()).flatten()
    };
    match TimeZone::get(name) {
        Ok(zone) => Ok(zone),
        Err(_) => offset().ok_or_else(|| {
            let word = name.rsplit('/').next().unwrap_or_default().to_lowercase().replace(' ', "_");
            let names = jiff::tz::db().available().map(|known| known.to_string());
            let fits = |known: &String| word.len() >= 3 && known.to_lowercase().contains(&word);
            let suggestions = names.filter(fits).take(MOST_SUGGESTIONS).collect();
            TimeError::UnknownZone { zone: name.to_owned(), suggestions }
        }),
    }
}

/// Reads a time of a caller. One without a zone is in `usual`; `now` gives the day of a time without a date.
pub(super) fn read(text: &str, usual: &TimeZone, now: &Zoned) -> Result<(Zoned, Option<String>), TimeError> {
    let text = text.trim();
    let unreadable = || TimeError::Unreadable(text.chars().take(MOST_TEXT).collect());
    if text.is_empty() || text.len() > MOST_TEXT {
        return Err(unreadable());
    }
    if let Some(seconds) = unix_seconds(text) {
        let timestamp = Timestamp::from_second(seconds).map_err(|_| TimeError::Range)?;
        return Ok((timestamp.to_zoned(usual.clone()), None));
    }
    if let Ok(zoned) = text.parse::<Zoned>() {
        return Ok((zoned, None));
    }
    let pieces = jiff::fmt::temporal::Pieces::parse(text).ok();
    if let (Ok(timestamp), Some(pieces)) = (text.parse::<Timestamp>(), &pieces) {
        let zone = pieces.to_numeric_offset().map_or(TimeZone::UTC, TimeZone::fixed);
        return Ok((timestamp.to_zoned(zone), None));
    }
    if let Ok(zoned) = jiff::fmt::rfc2822::parse(text) {
        return Ok((zoned, None));
    }
    let civil = text.parse::<DateTime>().ok();
    let civil = civil.or_else(|| text.parse::<Date>().ok().map(|date| date.at(0, 0, 0, 0)));
    let civil = civil.or_else(|| {
        let time = text.parse::<Time>().ok()?;
        Some(now.with_time_zone(usual.clone()).date().to_datetime(time))
    });
    let civil = civil.ok_or_else(unreadable)?;
    let ambiguous = usual.to_ambiguous_zoned(civil);
    let note = match ambiguous.offset() {
        AmbiguousOffset::Unambiguous { .. } => None,
        AmbiguousOffset::Gap { .. } => Some(format!(
            "{civil} does not exist there: the clock is set forward; the time after the change is used"
        )),
        AmbiguousOffset::Fold { .. } => {
            Some(format!("{civil} exists twice there: the clock is set back; the first one is used"))
        }
    };
    ambiguous.compatible().map(|zoned| (zoned, note)).map_err(|_| TimeError::Range)
}

/// Reads the seconds since 1970, of which there are at least five digits.
fn unix_seconds(text: &str) -> Option<i64> {
    let digits = text.strip_prefix('@').unwrap_or(text);
    let is_number = digits.trim_start_matches('-').bytes().all(|byte| byte.is_ascii_digit());
    (is_number && (text.starts_with('@') || digits.len() >= 9)).then(|| digits.parse().ok()).flatten()
}

impl Moment {
    pub(super) fn of(zoned: &Zoned, note: Option<String>) -> Moment {
        let info = zoned.time_zone().to_offset_info(zoned.timestamp());
        let week = zoned.date().iso_week_date();
        let zone = zoned.time_zone().iana_name().map_or_else(|| zoned.offset().to_string(), str::to_owned);
        Moment {
            time: zoned.strftime("%Y-%m-%dT%H:%M:%S%.f%:z").to_string(),
            zone,
            weekday: zoned.strftime("%A").to_string(),
            offset: zoned.strftime("%:z").to_string(),
            daylight_saving: info.dst().is_dst(),
            unix: zoned.timestamp().as_second(),
            week: format!("{:04}-W{:02}", week.year(), week.week()),
            day_of_year: zoned.day_of_year(),
            note,
        }
    }
}

/// Returns the difference between two times, in calendar units of the zone of `start`.
pub(super) fn difference(
    start: &(Zoned, Option<String>),
    end: &(Zoned, Option<String>),
) -> Result<TimeDifference, TimeError> {
    let last = end.0.with_time_zone(start.0.time_zone().clone());
    let span =
        start.0.until(ZonedDifference::new(&last).largest(Unit::Year)).map_err(|_| TimeError::Range)?;
    let days = start.0.date().until((Unit::Day, last.date())).map_err(|_| TimeError::Range)?;
    Ok(TimeDifference {
        start: Moment::of(&start.0, start.1.clone()),
        end: Moment::of(&end.0, end.1.clone()),
        duration: span.to_string(),
        words: words(&span),
        seconds: last.timestamp().duration_since(start.0.timestamp()).as_secs_f64(),
        days: i64::from(days.get_days()),
    })
}

/// Returns a span in words.
fn words(span: &jiff::Span) -> String {
    let parts = [
        (i64::from(span.get_years()), "year"),
        (i64::from(span.get_months()), "month"),
        (i64::from(span.get_days()), "day"),
        (i64::from(span.get_hours()), "hour"),
        (span.get_minutes(), "minute"),
        (span.get_seconds(), "second"),
    ];
    let some = parts.iter().filter(|(count, _)| *count != 0);
    let words: Vec<String> = some
        .map(|(count, unit)| {
            let plural = if count.abs() == 1 { "" } else { "s" };
            format!("{} {unit}{plural}", count.abs())
        })
        .collect();
    match (words.is_empty(), span.is_negative()) {
        (true, _) => "no time".to_owned(),
        (false, true) => format!("{} before", words.join(", ")),
        (false, false) => words.join(", "),
    }
}
