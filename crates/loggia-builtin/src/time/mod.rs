//! The time in the zones of the world, for a language model: now, conversions, differences, and the reading of times.
//!
//! The zones come from the database in the program, so that each machine gives the same results. Invariant: a time
//! that a change of the clock makes ambiguous is noted in the result.

mod moment;
mod serve;

pub use moment::{Moment, TimeDifference, TimeError};
pub use serve::server;
