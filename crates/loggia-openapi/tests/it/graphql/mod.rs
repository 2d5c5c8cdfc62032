//! GraphQL: schemas, documents, tools, requests and responses.

mod documents;
mod responses;
mod schemas;
mod tools;
mod vendors;

use loggia_openapi::graphql::GraphqlSchema;

/// A schema with each kind of type.
const SHOP: &str = include_str!("shop.graphql");

fn shop() -> GraphqlSchema {
    let schema = GraphqlSchema::read(SHOP.as_bytes()).expect("a schema");
    assert_eq!(schema.problems(), []);
    schema
}
