//! The program as its users see it: what it prints, where, and how it ends.

mod auth;
mod client;
mod configuration;
mod forwarded;
mod guarded;
mod import;
mod issuers;
mod output;
mod persons;
mod program;
mod protected;
mod replicas;
mod server;
mod up;
