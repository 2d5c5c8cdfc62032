//! The program as its users see it: what it prints, where, and how it ends.

mod auth;
mod client;
mod forwarded;
mod guarded;
mod issuers;
mod persons;
mod program;
mod protected;
mod replicas;
mod server;
#[cfg(unix)]
mod starting;
mod up;
