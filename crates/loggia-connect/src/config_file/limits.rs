//! The section `[server.limits]`: a name and an amount for each bound of the SDK, and of the gateway.

use std::time::Duration;

use loggia::limits::Limits;

use super::gateway::GatewayLimits;
use super::raw::Amount;

/// One bound, and what its amount counts.
enum Bound {
    Count(fn(&mut Limits) -> &mut usize),
    Rate(fn(&mut Limits) -> &mut u32),
    Bytes(fn(&mut Limits) -> &mut usize),
    Time(fn(&mut Limits) -> &mut Duration),
}

/// One bound of the gateway, and what its amount counts.
enum GatewayBound {
    Count(fn(&mut GatewayLimits) -> &mut Option<usize>),
    Bytes(fn(&mut GatewayLimits) -> &mut Option<usize>),
    Time(fn(&mut GatewayLimits) -> &mut Option<Duration>),
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
    ("list_bytes", Bound::Bytes(|l| &mut l.list_bytes)),
    ("entry_bytes", Bound::Bytes(|l| &mut l.entry_bytes)),
    ("opening_bytes", Bound::Bytes(|l| &mut l.opening_bytes)),
    ("cache_entries", Bound::Count(|l| &mut l.cache_entries)),
    ("cache_bytes", Bound::Bytes(|l| &mut l.cache_bytes)),
];

const GATEWAY_BOUNDS: &[(&str, GatewayBound)] = &[
    ("start_timeout", GatewayBound::Time(|l| &mut l.start_timeout)),
    ("starts", GatewayBound::Count(|l| &mut l.starts)),
    ("start_turn", GatewayBound::Time(|l| &mut l.start_turn)),
    ("connect_timeout", GatewayBound::Time(|l| &mut l.connect_timeout)),
    ("list_timeout", GatewayBound::Time(|l| &mut l.list_timeout)),
    ("probe_timeout", GatewayBound::Time(|l| &mut l.probe_timeout)),
    ("call_timeout", GatewayBound::Time(|l| &mut l.call_timeout)),
    ("call_max_timeout", GatewayBound::Time(|l| &mut l.call_max_timeout)),
    ("first_list_wait", GatewayBound::Time(|l| &mut l.first_list_wait)),
    ("connect_wait", GatewayBound::Time(|l| &mut l.connect_wait)),
    ("removal_timeout", GatewayBound::Time(|l| &mut l.removal_timeout)),
    ("retry_first", GatewayBound::Time(|l| &mut l.retry_first)),
    ("retry_longest", GatewayBound::Time(|l| &mut l.retry_longest)),
    ("retry_stable_after", GatewayBound::Time(|l| &mut l.retry_stable_after)),
    ("keep_listed", GatewayBound::Time(|l| &mut l.keep_listed)),
    ("list_entries", GatewayBound::Count(|l| &mut l.list_entries)),
    ("list_page", GatewayBound::Count(|l| &mut l.list_page)),
    ("list_refresh_after", GatewayBound::Time(|l| &mut l.list_refresh_after)),
    ("list_ttl", GatewayBound::Time(|l| &mut l.list_ttl)),
    ("suspended_calls", GatewayBound::Count(|l| &mut l.suspended_calls)),
    ("suspended_call_timeout", GatewayBound::Time(|l| &mut l.suspended_call_timeout)),
    ("connector_subscriptions", GatewayBound::Count(|l| &mut l.connector_subscriptions)),
    ("instructions_bytes", GatewayBound::Bytes(|l| &mut l.instructions_bytes)),
    ("user_connections", GatewayBound::Count(|l| &mut l.user_connections)),
    ("user_connection_idle", GatewayBound::Time(|l| &mut l.user_connection_idle)),
    ("process_idle", GatewayBound::Time(|l| &mut l.process_idle)),
    ("sign_in_timeout", GatewayBound::Time(|l| &mut l.sign_in_timeout)),
    ("result_bytes", GatewayBound::Bytes(|l| &mut l.result_bytes)),
    ("stored_result_bytes", GatewayBound::Bytes(|l| &mut l.stored_result_bytes)),
    ("stored_result_caller_bytes", GatewayBound::Bytes(|l| &mut l.stored_result_caller_bytes)),
    ("stored_result_ttl", GatewayBound::Time(|l| &mut l.stored_result_ttl)),
];

/// The names of the bounds.
pub(super) fn names() -> Vec<&'static str> {
    BOUNDS.iter().map(|(name, _)| *name).chain(GATEWAY_BOUNDS.iter().map(|(name, _)| *name)).collect()
}

/// Sets one bound, which must be one of [`names`]; the error says how to write the amount.
pub(super) fn set(
    limits: &mut Limits,
    gateway: &mut GatewayLimits,
    name: &str,
    amount: &Amount,
) -> Result<(), &'static str> {
    if let Some((_, bound)) = BOUNDS.iter().find(|(known, _)| *known == name) {
        match bound {
            Bound::Count(field) => *field(limits) = count(amount)?,
            Bound::Rate(field) => *field(limits) = u32::try_from(count(amount)?).unwrap_or(u32::MAX),
            Bound::Bytes(field) => *field(limits) = bytes(amount)?,
            Bound::Time(field) => *field(limits) = time(amount)?,
        }
    }
    if let Some((_, bound)) = GATEWAY_BOUNDS.iter().find(|(known, _)| *known == name) {
        match bound {
            GatewayBound::Count(field) => *field(gateway) = Some(count(amount)?),
            GatewayBound::Bytes(field) => *field(gateway) = Some(bytes(amount)?),
            GatewayBound::Time(field) => *field(gateway) = Some(time(amount)?),
        }
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

/// Reads a length of time, such as `30s`.
pub(crate) fn duration_of(text: &str) -> Result<Duration, &'static str> {
    time(&Amount::Text(text.to_owned()))
}

/// Reads a number of bytes, such as `64KiB`.
pub(crate) fn bytes_of(text: &str) -> Result<usize, &'static str> {
    bytes(&Amount::Text(text.to_owned()))
}

fn bytes_in(text: &str) -> Option<usize> {
    const UNITS: [(&str, usize); 4] = [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("B", 1)];
    let (number, factor) =
        UNITS.iter().find_map(|(unit, factor)| Some((text.strip_suffix(unit)?, *factor)))?;
    let number: usize = number.trim().parse().ok()?;
    number.checked_mul(factor).filter(|bytes| *bytes > 0)
}
