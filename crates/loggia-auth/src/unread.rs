//! What is still on its way when a request is refused by its head alone. HTTP/1.1 closes a connection whose body
//! nobody reads, and a client that sends head and body apart finds it closed under its next request: the one
//! in which it would have signed in.

use std::time::Duration;

use http_body_util::{BodyExt, Limited};
use loggia::transport::http::Body;

/// Longest body that is read for that. Whoever sends more connects again.
const MOST_BYTES: usize = 256 << 10;
/// How long it may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// Reads a body for nothing but the sake of its connection.
pub(crate) async fn read_away(body: Body) {
    let mut body = Limited::new(body, MOST_BYTES);
    let reading = async { while let Some(Ok(_)) = body.frame().await {} };
    // Who does not send has only their own answer wait.
    let _ = tokio::time::timeout(PATIENCE, reading).await;
}
