//! The section `[server.limits]`: a name and an amount for each bound of the SDK.

use std::time::Duration;

use loggia::limits::Limits;

use super::raw::Amount;

/// One bound, and what its amount counts.
enum Bound {
    Count(fn(&mut Limits) -> &mut usize),
    Rate(fn(&mut Limits) -> &mut u32),
    Bytes(fn(&mut Limits) -> &mut usize),
    Time(fn(&mut Limits) -> &mut Duration),
}

const BOUNDS: &[(&str, Bound)] = &[
    ("message_bytes", Bound::Bytes(|l| &mut l.message_bytes)),
    ("header_bytes", Bound::Bytes(|l| &mut l.header_bytes)),
    ("requests_per_connection", Bound::Count(|l| &mut l.requests_per_connection)),
    ("in_flight_bytes", Bound::Bytes(|l| &mut l.in_flight_bytes)),
    ("write_buffer", Bound::Bytes(|l| &mut l.write_buffer)),
    ("asks", Bound::Count(|l| &mut l.asks)),
    ("subscriptions", Bound::Count(|l| &mut l.subscriptions)),
    ("uri_bytes", Bound::Bytes(|l| &mut l.uri_bytes)),
    ("subscription_bytes", Bound::Bytes(|l| &mut l.subscription_bytes)),
    ("requests", Bound::Count(|l| &mut l.requests)),
    ("streams", Bound::Count(|l| &mut l.streams)),
    ("connections", Bound::Count(|l| &mut l.connections)),
    ("read_timeout", Bound::Time(|l| &mut l.read_timeout)),
    ("write_timeout", Bound::Time(|l| &mut l.write_timeout)),
    ("idle", Bound::Time(|l| &mut l.idle)),
    ("session_idle", Bound::Time(|l| &mut l.session_idle)),
    ("sessions", Bound::Count(|l| &mut l.sessions)),
    ("resume_events", Bound::Count(|l| &mut l.resume_events)),
    ("resume_bytes", Bound::Bytes(|l| &mut l.resume_bytes)),
    ("resume_window", Bound::Time(|l| &mut l.resume_window)),
    ("keep_alive", Bound::Time(|l| &mut l.keep_alive)),
    ("input_rounds", Bound::Count(|l| &mut l.input_rounds)),
    ("request_state_bytes", Bound::Bytes(|l| &mut l.request_state_bytes)),
    ("logs_per_second", Bound::Rate(|l| &mut l.logs_per_second)),
    ("ask_timeout", Bound::Time(|l| &mut l.ask_timeout)),
    ("drain", Bound::Time(|l| &mut l.drain)),
    ("reply_bytes", Bound::Bytes(|l| &mut l.reply_bytes)),
    ("malformed", Bound::Bytes(|l| &mut l.malformed)),
    ("list_pages", Bound::Count(|l| &mut l.list_pages)),
    ("cache_entries", Bound::Count(|l| &mut l.cache_entries)),
    ("cache_bytes", Bound::Bytes(|l| &mut l.cache_bytes)),
];

/// The names of the bounds.
pub(super) fn names() -> Vec<&'static str> {
    BOUNDS.iter().map(|(name, _)| *name).collect()
}

/// Sets one bound, which must be one of [`names`]; the error says how to write the amount.
pub(super) fn set(limits: &mut Limits, name: &str, amount: &Amount) -> Result<(), &'static str> {
    let Some((_, bound)) = BOUNDS.iter().find(|(known, _)| *known == name) else { return Ok(()) };
    match bound {
        Bound::Count(field) => *field(limits) = count(amount)?,
        Bound::Rate(field) => *field(limits) = u32::try_from(count(amount)?).unwrap_or(u32::MAX),
        Bound::Bytes(field) => *field(limits) = bytes(amount)?,
        Bound::Time(field) => *field(limits) = time(amount)?,
    }
    Ok(())
}

/// A length of time above zero.
pub(super) fn time(amount: &Amount) -> Result<Duration, &'static str> {
    let parsed = match amount {
        Amount::Text(text) => humantime::parse_duration(text).ok(),
        Amount::Number(_) => None,
    };
    let wrong =
        "write a length of time above zero, in quotes and with its unit, for example \"30s\" or \"5m\"";
    parsed.filter(|time| !time.is_zero()).ok_or(wrong)
}

fn count(amount: &Amount) -> Result<usize, &'static str> {
    match amount {
        Amount::Number(number) => usize::try_from(*number).ok().filter(|number| *number > 0),
        Amount::Text(_) => None,
    }
    .ok_or("write a whole number above zero; no bound can be switched off")
}

fn bytes(amount: &Amount) -> Result<usize, &'static str> {
    match amount {
        Amount::Number(_) => count(amount).ok(),
        Amount::Text(text) => bytes_in(text),
    }
    .ok_or("write a number of bytes above zero, for example 65536, \"64KiB\" or \"4MiB\"")
}

fn bytes_in(text: &str) -> Option<usize> {
    const UNITS: [(&str, usize); 4] = [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("B", 1)];
    let (number, factor) =
        UNITS.iter().find_map(|(unit, factor)| Some((text.strip_suffix(unit)?, *factor)))?;
    let number: usize = number.trim().parse().ok()?;
    number.checked_mul(factor).filter(|bytes| *bytes > 0)
}
