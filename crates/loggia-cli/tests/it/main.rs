//! The program as its users see it: what it prints, where, and how it ends.

mod auth;
mod bounds;
mod client;
mod forwarded;
mod guarded;
mod issuers;
mod persons;
mod program;
mod protected;
mod replicas;
mod server;
mod up;
