//! The program as its users see it: what it prints, where, and how it ends.

mod add;
mod auth;
mod bounds;
mod browsers;
mod child_environment;
#[cfg(target_os = "linux")]
mod children;
mod client;
#[cfg(unix)]
mod clients;
mod configuration;
#[cfg(unix)]
mod fidelity;
mod forwarded;
mod guarded;
mod import;
mod issuers;
mod lint;
mod output;
mod persons;
mod program;
mod protected;
mod references;
mod replicas;
mod resource_scopes;
#[cfg(target_os = "linux")]
mod sandboxed;
mod server;
#[cfg(unix)]
mod starting;
mod up;
