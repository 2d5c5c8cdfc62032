//! The log lines of a program that runs a gateway, as formats of `tracing-subscriber`. Their values come from servers,
//! clients and files, so what is safe to write and how often is decided here, once for all programs.

mod fields;
mod messages;
mod repeats;

pub use fields::EscapedFields;
pub use messages::ProtocolMessages;
pub use repeats::CountRepeats;
