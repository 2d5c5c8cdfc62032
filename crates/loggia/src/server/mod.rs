//! Under construction.
pub struct Server;
