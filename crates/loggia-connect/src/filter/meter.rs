//! The meter of a run: it counts steps and stops the filter, and no `try` of the filter can catch that.
//!
//! Invariant: a value that is built has at most [`MAX_PARTS`] parts, [`MAX_DEPTH`] levels, [`MAX_BYTES`] bytes in one
//! string and [`MAX_BITS`] bits in one number.

use std::cell::Cell;
use std::fmt::{self, Write};

use jaq_core::box_iter::box_once;
use jaq_core::native::{Fun, bome, v};
use jaq_core::{Ctx, Cv, DataT, Exn, Filter, Lut, Native, RunPtr, ValX, ValXs};
use jaq_json::{Num, Val};

use super::instrument::{CHARGE, COMPARE, GUARD, MULTIPLY, SUBTRACT, TICK, WEIGH};
use super::json_text;

const MAX_PARTS: u64 = 2_000_000;
const MAX_DEPTH: usize = 128;
const MAX_BYTES: usize = 16 << 20;
/// Integers of jaq have no bound of their own, and products of long ones take long.
const MAX_BITS: u64 = 4096;
/// Bytes of a string that count as one step.
const BYTES_A_STEP: usize = 64;

/// The steps that a run has left.
pub(super) struct Meter(Cell<u64>);

/// The data of a run: the table of the filter, and the meter.
#[derive(Clone)]
pub(super) struct RunData<'a> {
    lut: &'a Lut<MeterData>,
    meter: &'a Meter,
}

/// The kind of data that metered filters work on.
pub(super) struct MeterData;

/// A filter that counts its steps.
pub(super) type MeteredFilter = Filter<MeterData>;

impl DataT for MeterData {
    type V<'a> = Val;
    type Data<'a> = RunData<'a>;
}

impl<'a> jaq_core::data::HasLut<'a, MeterData> for RunData<'a> {
    fn lut(&self) -> &'a Lut<MeterData> {
        self.lut
    }
}

impl<'a> RunData<'a> {
    pub(super) fn new(lut: &'a Lut<MeterData>, meter: &'a Meter) -> RunData<'a> {
        RunData { lut, meter }
    }
}

impl Meter {
    pub(super) fn new(steps: u64) -> Meter {
        Meter(Cell::new(steps))
    }

    fn take(&self, steps: u64) -> Option<()> {
        let left = self.0.get().checked_sub(steps);
        self.0.set(left.unwrap_or(0));
        left.map(drop)
    }
}

/// Returns the native filters that count.
pub(super) fn funs() -> impl Iterator<Item = Fun<MeterData>> {
    let tick = Native::<MeterData>::new(|cv| box_once(ticked(&cv.0, cv.1)))
        .with_paths(|cv| {
            let (value, path) = cv.1;
            box_once(ticked(&cv.0, value).map(|value| (value, path)))
        })
        .with_update(|cv, update| match ticked(&cv.0, cv.1) {
            Ok(value) => update(value),
            Err(stop) => box_once(Err(stop)),
        });
    let weigh = Native::<MeterData>::new(|cv| box_once(weighed(&cv.0, cv.1)));
    let multiply = Native::<MeterData>::new(|mut cv| {
        let right = cv.0.pop_var();
        let left = cv.0.pop_var();
        let is_text = |value: &Val| matches!(value, Val::TStr(_) | Val::BStr(_));
        bome(match is_text(&left) || is_text(&right) {
            true => Err(jaq_json::Error::str("a string cannot be repeated in a filter")),
            false => left * right,
        })
    });
    let subtract = Native::<MeterData>::new(|mut cv| {
        let right = cv.0.pop_var();
        let left = cv.0.pop_var();
        match charge(&cv.0, &left, &right) {
            Ok(()) => bome(left - right),
            Err(stop) => box_once(Err(stop)),
        }
    });
    let charged = Native::<MeterData>::new(|mut cv| {
        let argument = cv.0.pop_var();
        box_once(charge(&cv.0, &cv.1, &argument).map(|()| cv.1))
    });
    let guard = Native::<MeterData>::new(|cv| match &cv.1 {
        Val::TStr(text) | Val::BStr(text) => {
            let steps = 1 + (text.len() / BYTES_A_STEP) as u64;
            match (cv.0.data().meter.take(steps), json_text::check(text)) {
                (None, _) => box_once(Err(Exn::halt(1))),
                (_, Err(reason)) => bome(Err(jaq_json::Error::str(reason))),
                (_, Ok(())) => box_once(Ok(cv.1)),
            }
        }
        _ => box_once(Ok(cv.1)),
    });
    let compare: [RunPtr<MeterData>; 6] =
        [compare::<0>, compare::<1>, compare::<2>, compare::<3>, compare::<4>, compare::<5>];
    [
        (GUARD, v(0), guard),
        (TICK, v(0), tick),
        (WEIGH, v(0), weigh),
        (MULTIPLY, v(2), multiply),
        (SUBTRACT, v(2), subtract),
        (CHARGE, v(1), charged),
    ]
    .into_iter()
    .chain(
        COMPARE
            .into_iter()
            .zip(compare)
            .map(|((name, _), native)| (name, v(2), Native::<MeterData>::new(native))),
    )
}

/// Compares two values by one operation of [`COMPARE`]; native filters are function pointers, which hold nothing.
fn compare<'a, const OP: usize>(mut cv: Cv<'a, MeterData>) -> ValXs<'a, Val> {
    let right = cv.0.pop_var();
    let left = cv.0.pop_var();
    let charged = cv.0.data().meter.take(compared_parts(&left, &right));
    box_once(charged.map(|()| Val::from(COMPARE[OP].1.run(&left, &right))).ok_or(Exn::halt(1)))
}

fn ticked<'a>(ctx: &Ctx<'a, MeterData>, value: Val) -> ValX<'a, Val> {
    let is_short = match &value {
        Val::TStr(text) | Val::BStr(text) => text.len() <= MAX_BYTES,
        Val::Arr(items) => items.len() as u64 <= MAX_PARTS,
        Val::Obj(entries) => entries.len() as u64 <= MAX_PARTS,
        Val::Num(Num::BigInt(number)) => number.bits() <= MAX_BITS,
        _ => true,
    };
    let steps = 1 + match &value {
        Val::TStr(text) | Val::BStr(text) => (text.len() / BYTES_A_STEP) as u64,
        _ => 0,
    };
    ctx.data().meter.take(steps).filter(|()| is_short).map(|()| value).ok_or(Exn::halt(1))
}

fn weighed<'a>(ctx: &Ctx<'a, MeterData>, value: Val) -> ValX<'a, Val> {
    let mut room = MAX_PARTS;
    let fits = weigh(&value, &mut room, 0);
    ctx.data().meter.take(1 + MAX_PARTS - room).and(fits).map(|()| value).ok_or(Exn::halt(1))
}

/// Counts the parts that a comparison of two values reads, at most.
fn compared_parts(left: &Val, right: &Val) -> u64 {
    let pair = |(left, right): (&Val, &Val)| compared_parts(left, right);
    1 + match (left, right) {
        (Val::TStr(left) | Val::BStr(left), Val::TStr(right) | Val::BStr(right)) => {
            (left.len().min(right.len()) / BYTES_A_STEP) as u64
        }
        (Val::Arr(left), Val::Arr(right)) => left.iter().zip(right.iter()).map(pair).sum(),
        (Val::Obj(left), Val::Obj(right)) if !left.is_empty() && !right.is_empty() => {
            // The keys are sorted first, and values are compared only if the keys are the same.
            let values: u64 =
                left.iter().filter_map(|(key, value)| Some((value, right.get(key)?))).map(pair).sum();
            (left.len() + right.len()) as u64 + values
        }
        _ => 0,
    }
}

/// Counts the steps of comparing each part of a value with each part of another.
fn charge<'a>(ctx: &Ctx<'a, MeterData>, left: &Val, right: &Val) -> Result<(), Exn<'a, Val>> {
    let parts = |value: &Val| {
        let mut room = MAX_PARTS;
        weigh(value, &mut room, 0).map(|()| MAX_PARTS - room)
    };
    let product = parts(left).zip(parts(right)).and_then(|(left, right)| left.checked_mul(right));
    product.and_then(|steps| ctx.data().meter.take(steps)).ok_or(Exn::halt(1))
}

/// Counts the parts of a value down from `room`. A value that is shared counts each time: whatever reads it takes as long.
fn weigh(value: &Val, room: &mut u64, depth: usize) -> Option<()> {
    let size = match value {
        Val::TStr(text) | Val::BStr(text) => {
            if text.len() > MAX_BYTES {
                return None;
            }
            1 + (text.len() / BYTES_A_STEP) as u64
        }
        Val::Num(Num::BigInt(number)) if number.bits() > MAX_BITS => return None,
        _ => 1,
    };
    *room = room.checked_sub(size).or_else(|| {
        *room = 0;
        None
    })?;
    if depth > MAX_DEPTH {
        return None;
    }
    match value {
        Val::Arr(items) => items.iter().try_for_each(|item| weigh(item, room, depth + 1)),
        Val::Obj(entries) => entries.iter().try_for_each(|(key, value)| {
            weigh(key, room, depth + 1)?;
            weigh(value, room, depth + 1)
        }),
        _ => Some(()),
    }
}

/// A text with a bound.
pub(super) struct OutputText {
    bytes: Vec<u8>,
    most: usize,
}

impl OutputText {
    pub(super) fn new(most: usize) -> OutputText {
        OutputText { bytes: Vec::new(), most }
    }

    /// Writes a value as JSON. An error means that it is too long.
    pub(super) fn write(&mut self, value: &Val) -> fmt::Result {
        write!(self, "{value}")
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

impl Write for OutputText {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.bytes.len() + text.len() > self.most {
            return Err(fmt::Error);
        }
        self.bytes.extend_from_slice(text.as_bytes());
        Ok(())
    }
}
