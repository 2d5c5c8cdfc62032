//! The types of all revisions in one model, which has every member that any revision has.
//!
//! The model does not know which members a revision lacks: [`crate::codec`] removes them from messages to a peer and
//! supplies defaults in messages from a peer.
//!
//! If the specification's schema allows further members, unknown ones are kept in `extra` and written again. Unions
//! without a tag are read by looking at their members, never by trying one type after another.

mod annotations;
mod capabilities;
mod completion;
mod content;
mod elicitation;
mod input;
mod lifecycle;
mod logging;
mod notification;
mod page;
mod prompt;
mod resource;
mod result;
mod roots;
mod sampling;
mod subscription;
mod tool;

pub use annotations::*;
pub use capabilities::*;
pub use completion::*;
pub use content::*;
pub use elicitation::*;
pub use input::*;
pub use lifecycle::*;
pub use logging::*;
pub use notification::*;
pub use page::*;
pub use prompt::*;
pub use resource::*;
pub use result::*;
pub use roots::*;
pub use sampling::*;
pub use subscription::*;
pub use tool::*;

pub use crate::json::JsonObject;

/// The contents of `_meta`.
pub type Meta = JsonObject;
/// Members that no revision names.
pub type Extra = JsonObject;

/// Makes methods of a builder that each set one optional member.
macro_rules! setters {
    ($($(#[$doc:meta])* $name:ident: $type:ty;)*) => {
        $($(#[$doc])*
        pub fn $name(mut self, $name: impl Into<$type>) -> Self {
            self.$name = Some($name.into());
            self
        })*
    };
}
pub(crate) use setters;
