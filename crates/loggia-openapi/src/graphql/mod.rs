//! GraphQL APIs as MCP tools. A schema makes each query and mutation a tool, or a document chooses the fields of one.
//!
//! It exists beside the REST part with the same surface: a `GraphqlOperation` has a name, a class, a tool, a request and a
//! result, so a caller treats both alike. [`GraphqlCall`] and [`GraphqlResponse`] need no schema and no feature: a program
//! that has its documents and arguments written out carries no GraphQL compiler.
//!
//! Invariant: a document that the schema refuses never becomes a tool.
//!
//! ```
//! # #[cfg(feature = "graphql")] {
//! use loggia_openapi::graphql::GraphqlSchema;
//! use loggia_wire::JsonObject;
//!
//! let schema = GraphqlSchema::read(b"type Query { pet(id: ID!): Pet } type Pet { id: ID! name: String }")?;
//! let operation = schema.operation("query Pet($id: ID!) { pet(id: $id) { name } }")?;
//! let arguments = r#"{"id":"7"}"#.parse::<JsonObject>()?;
//! let request = operation.request(&"https://pets.example/graphql".parse()?, &arguments)?;
//! assert!(request.body().ends_with(br#""variables":{"id":"7"}}"#));
//! # }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod call;
#[cfg(feature = "graphql")]
mod document;
#[cfg(feature = "graphql")]
mod introspection;
#[cfg(feature = "graphql")]
mod operation;
mod paging;
mod response;
#[cfg(feature = "graphql")]
mod root_field;
#[cfg(feature = "graphql")]
mod schema;
#[cfg(feature = "graphql")]
mod selection;
#[cfg(feature = "graphql")]
mod variable;

pub use call::GraphqlCall;
#[cfg(feature = "graphql")]
pub use document::{DocumentError, DocumentFault};
#[cfg(feature = "graphql")]
pub use operation::GraphqlOperation;
pub use response::{GraphqlResponse, is_rate_limited};
#[cfg(feature = "graphql")]
pub use schema::GraphqlSchema;
#[cfg(feature = "graphql")]
pub use selection::SelectionLimits;
