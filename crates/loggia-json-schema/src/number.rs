//! Numbers and equality in JSON Schema. They are compared by mathematical value, so that `1` equals `1.0`, and
//! exactly, so that `0.3` is a multiple of `0.1`.

use std::cmp::Ordering;
use std::hash::{Hash, Hasher};

use serde_json::{Number, Value};

/// Compares two numbers by value.
pub(super) fn compare(a: &Number, b: &Number) -> Ordering {
    match (integer(a), integer(b)) {
        (Some(a), Some(b)) => a.cmp(&b),
        (Some(a), None) => compare_mixed(a, float(b)),
        (None, Some(b)) => compare_mixed(b, float(a)).reverse(),
        (None, None) => float(a).total_cmp(&float(b)),
    }
}

/// Returns whether `number` has no fraction.
pub(super) fn is_integer(number: &Number) -> bool {
    !number.is_f64() || float(number).fract() == 0.0
}

/// Returns whether `number` is a multiple of `divisor`, which is positive.
pub(super) fn is_multiple(number: &Number, divisor: &Number) -> bool {
    if let (Some(number), Some(divisor)) = (integer(number), integer(divisor)) {
        return divisor != 0 && number % divisor == 0;
    }
    let (value, value_exponent) = decimal(number);
    let (step, step_exponent) = decimal(divisor);
    if step == 0 {
        return false;
    }
    let shift = value_exponent - step_exponent;
    if shift >= 0 {
        return multiply_power(value % step, shift as u32, step) == 0;
    }
    let power = 10u128.checked_pow(shift.unsigned_abs()).and_then(|power| step.checked_mul(power));
    value == 0 || power.is_some_and(|step| value % step == 0)
}

/// Returns whether two values are equal, numbers by value.
pub(super) fn equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => compare(a, b) == Ordering::Equal,
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(name, a)| b.get(name).is_some_and(|b| equal(a, b)))
        }
        (a, b) => a == b,
    }
}

/// Adds `value` to the hash `state`; values that are [`equal`] have equal hashes.
pub(super) fn hash(value: &Value, state: &mut impl Hasher) {
    std::mem::discriminant(value).hash(state);
    match value {
        Value::Null => {}
        Value::Bool(value) => value.hash(state),
        Value::Number(number) => match integer(number) {
            Some(integer) => integer.hash(state),
            None => float(number).to_bits().hash(state),
        },
        Value::String(text) => text.hash(state),
        Value::Array(items) => {
            items.len().hash(state);
            items.iter().for_each(|item| hash(item, state));
        }
        Value::Object(members) => {
            // The values are not added, because members may have any order; the number and names are enough.
            members.len().hash(state);
            let names: u64 = members.keys().map(|name| name.len() as u64).sum();
            names.hash(state);
        }
    }
}

fn float(number: &Number) -> f64 {
    // Without arbitrary precision every number has a finite f64.
    number.as_f64().unwrap_or_default()
}

/// Returns the number as an integer, if it has no fraction and is below about 2^100.
fn integer(number: &Number) -> Option<i128> {
    if let Some(value) = number.as_i64() {
        return Some(value.into());
    }
    if let Some(value) = number.as_u64() {
        return Some(value.into());
    }
    let value = float(number);
    (value.fract() == 0.0 && value.abs() < 1e30).then_some(value as i128)
}

fn compare_mixed(integer: i128, float: f64) -> Ordering {
    // `float` has a fraction or is at least 1e30, so truncating it does not make it equal.
    if float.abs() >= 1e30 {
        return if float > 0.0 { Ordering::Less } else { Ordering::Greater };
    }
    integer.cmp(&(float as i128)).then(if float > 0.0 { Ordering::Less } else { Ordering::Greater })
}

/// Returns the magnitude of the number as digits and a power of ten, from its shortest notation.
fn decimal(number: &Number) -> (u128, i32) {
    let text = number.to_string();
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let fraction = fraction.trim_end_matches('0');
    let digits = whole.bytes().chain(fraction.bytes()).filter(u8::is_ascii_digit);
    let value =
        digits.fold(0u128, |value, digit| value.saturating_mul(10).saturating_add(u128::from(digit - b'0')));
    (value, exponent - fraction.len() as i32)
}

/// Returns `value × 10^exponent mod modulus`. If a product does not fit (only for numbers with an extreme number of
/// digits), returns 1, so that the number is not a multiple.
fn multiply_power(value: u128, exponent: u32, modulus: u128) -> u128 {
    let mut result = value;
    for _ in 0..exponent {
        if result == 0 {
            return 0;
        }
        match result.checked_mul(10) {
            Some(product) => result = product % modulus,
            None => return 1,
        }
    }
    result
}
