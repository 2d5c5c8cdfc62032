//! The messages of a server, formatted for people. Everything here is a function from data to text; colours are ANSI
//! sequences that [`crate::out`] removes if the output is no terminal.

pub(crate) mod content;
pub(crate) mod lists;
pub(crate) mod schema;
pub(crate) mod status;
pub(crate) mod styled;
