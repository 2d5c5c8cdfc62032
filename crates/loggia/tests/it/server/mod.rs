//! Servers driven by requests made by hand, without a transport, in both eras.

mod asks;
mod harness;
mod layers;
mod lists;
mod macros;
mod prompts;
mod resources;
mod schemas;
mod tools;
