//! Times as people write them.

use std::time::Duration;

/// Parses `500ms`, `30s`, `5m`, `1h`, `90d`, or a number of seconds.
pub(super) fn parse(text: &str) -> Result<Duration, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let scale = match unit {
        "ms" => 0.001,
        "" | "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        "d" => 86_400.0,
        _ => return Err("use a number with ms, s, m, h or d".to_owned()),
    };
    let number: f64 = number.parse().map_err(|_| "use a number with ms, s, m, h or d".to_owned())?;
    Duration::try_from_secs_f64(number * scale)
        .ok()
        .filter(|time| !time.is_zero())
        .ok_or_else(|| "write a time above zero, for example 30s".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_people_write_them() {
        for (text, millis) in [
            ("500ms", 500),
            ("30s", 30_000),
            ("30", 30_000),
            ("1.5m", 90_000),
            ("1h", 3_600_000),
            ("2d", 172_800_000),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for bad in ["", "s", "5 s", "-1s", "0s", "1w", "1e400h", "1..2s"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
