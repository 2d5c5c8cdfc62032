//! What a server says, as a person reads it. Everything here is a function from data to text; colours are
//! ANSI sequences that [`crate::out`] takes away where nobody sees them.

pub(crate) mod content;
pub(crate) mod json;
pub(crate) mod lenient;
pub(crate) mod lists;
pub(crate) mod schema;
pub(crate) mod status;
pub(crate) mod styled;
pub(crate) mod text;
