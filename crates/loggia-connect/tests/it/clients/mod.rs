//! AI applications as clients of the gateway.

mod broken;
mod changes;
mod documents;
mod imports;
mod machine;
mod pages;
mod places;
mod properties;
mod round_trips;
mod table;
