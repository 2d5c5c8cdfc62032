//! Tests of a server without a network: a real client, connected in memory, in each era of the protocol. A handler
//! cannot see the era, so a test must pass in both.
//!
//! ```
//! use loggia::prelude::*;
//! use loggia::testing;
//! use serde_json::json;
//!
//! #[tool]
//! fn add(a: i64, b: i64) -> i64 {
//!     a + b
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> loggia::Result<()> {
//! let server = Server::new("sums", "1.0.0").tool(add).build()?;
//! testing::in_both_eras(&server, async |client| {
//!     let sum = client.call_tool("add", json!({ "a": 1, "b": 2 })).await?;
//!     assert_eq!(sum.content[0].as_text(), Some("3"));
//!     Ok(())
//! })
//! .await
//! # }
//! ```

use crate::client::{Client, ClientBuilder, Negotiation};
use crate::error::Result;
use crate::server::Server;
use crate::wire::Version;

/// The newest revision of each era.
pub const ERAS: [Version; 2] = [Version::LATEST_LEGACY, Version::LATEST];

/// Runs `test` with a client of each era.
pub async fn in_both_eras(server: &Server, test: impl AsyncFn(Client) -> Result<()>) -> Result<()> {
    in_both_eras_with(server, |client| client, test).await
}

/// Runs `test` with a client of each era that `prepare` configures, for example with answers to questions.
pub async fn in_both_eras_with(
    server: &Server,
    prepare: impl Fn(ClientBuilder) -> ClientBuilder,
    test: impl AsyncFn(Client) -> Result<()>,
) -> Result<()> {
    for version in ERAS {
        let client =
            prepare(Client::builder()).negotiation(Negotiation::Fixed(version)).connect(server).await?;
        test(client).await?;
    }
    Ok(())
}
