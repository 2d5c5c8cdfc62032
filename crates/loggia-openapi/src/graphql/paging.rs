//! Paging of connections (GraphQL Cursor Connections Specification): `first`, `after` and `pageInfo` become the one
//! argument `cursor`, as with REST operations.
//!
//! Invariant: a cursor is the value of the operation's own variable, so the crate keeps no state between two calls.

use loggia_wire::RawJson;

use crate::document::{boolean, member, string};

/// The paging of a GraphQL operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GraphqlPaging {
    /// The variable for `after`, which the tool does not show.
    pub(crate) variable: String,
    /// The response keys from `data` to the connection.
    pub(crate) path: Vec<String>,
}

impl GraphqlPaging {
    /// Returns the cursor of the next page from the member `data` of a response; `None` on the last page.
    pub(crate) fn next(&self, data: &RawJson) -> Option<String> {
        let mut connection = data.clone();
        for key in &self.path {
            connection = member(&connection, key)?;
        }
        let page = member(&connection, "pageInfo")?;
        let cursor = string(&page, "endCursor").filter(|cursor| !cursor.is_empty())?;
        (boolean(&page, "hasNextPage") == Some(true)).then_some(cursor)
    }
}
