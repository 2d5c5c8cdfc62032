//! The program as its users see it: what it prints, where, and how it ends.

mod client;
mod program;
mod server;
mod up;
