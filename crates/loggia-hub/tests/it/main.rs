//! The hub between real clients and real servers in memory, in every pair of eras.

mod accounts;
mod broken_lists;
mod calls;
mod changes;
mod crossed;
mod fixture;
mod lists;
mod outages;
mod own;
mod parked;
mod shares;
mod starting;
mod tool_transforms;
mod unused;
