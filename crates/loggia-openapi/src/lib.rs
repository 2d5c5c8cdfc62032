//! REST and GraphQL APIs as MCP tools. Reads an OpenAPI 3.0, OpenAPI 3.1 or Swagger 2.0 description, or a GraphQL schema
//! (module [`graphql`], feature `graphql`), and turns each operation into a tool: its name, schema and class, the HTTP
//! request of a call, and the result of the response. With the feature `curate`, `curate` writes a selection of operations
//! as a connector manifest.
//!
//! The crate does no I/O: the caller fetches the description, sends requests and stores credentials.
//!
//! Invariant: an operation that cannot become a tool is listed in [`Api::problems`] with the reason.
//!
//! ```
//! use loggia_openapi::Api;
//! use loggia_wire::JsonObject;
//!
//! let description = r#"
//! openapi: 3.1.0
//! info: { title: Pets, version: "1" }
//! servers: [{ url: https://pets.example/v1 }]
//! paths:
//!   /pets/{petId}:
//!     get:
//!       operationId: getPet
//!       summary: Returns a pet
//!       parameters:
//!         - { name: petId, in: path, required: true, schema: { type: string } }
//! "#;
//! let api = Api::read(description.as_bytes())?;
//! let operation = api.operation("get_pet").expect("it is described");
//! let request = operation.request(&api.base_url()?, &r#"{"petId":"a b"}"#.parse::<JsonObject>()?)?;
//! assert_eq!(request.uri(), "https://pets.example/v1/pets/a%20b");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod api;
mod arguments;
mod body;
mod class;
#[cfg(feature = "curate")]
mod curate;
mod document;
mod error;
pub mod graphql;
mod json_text;
mod media_type;
mod name;
mod operation;
mod paging;
mod parameter;
mod request;
mod response;
mod schema;
mod security;
mod yaml;

pub use api::{Api, Problem};
pub use class::OperationClass;
#[cfg(feature = "curate")]
pub use curate::curate;
#[cfg(all(feature = "curate", feature = "graphql"))]
pub use curate::curate_graphql;
pub use error::{ArgumentError, DescriptionError};
pub use operation::Operation;
pub use paging::next_link_value;
pub use response::{ResponseLimits, retry_after};
pub use security::{CredentialPlace, SecurityRequirement, SecurityScheme};
