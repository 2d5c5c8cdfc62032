//! The event stream of the admin API: one event after each change. It carries no data, so that a page that reconnects only
//! reads anew.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::response::Response;
use futures_util::stream;
use http::{HeaderMap, HeaderValue, header};

use crate::administration::Administration;

/// The time between two looks at the gateway.
const INTERVAL: Duration = Duration::from_millis(500);
/// Looks without a change after which a comment keeps the connection open.
const IDLE_LOOKS: u32 = 30;

/// Returns the id of the last event that a page has got.
pub(crate) fn last_id(headers: &HeaderMap) -> Option<u64> {
    headers.get("last-event-id")?.to_str().ok()?.parse().ok()
}

/// Returns the event stream of a page that has seen the revision `seen`.
pub(crate) fn stream<A: Administration>(admin: Arc<A>, seen: Option<u64>) -> Response {
    let events = stream::unfold((admin, seen, true), |(admin, mut seen, is_first)| async move {
        for _ in 0..IDLE_LOOKS {
            let now = admin.revision().await?;
            if seen.replace(now) != Some(now) {
                return Some((event(now), (admin, seen, false)));
            }
            if is_first {
                break;
            }
            tokio::time::sleep(INTERVAL).await;
        }
        Some((Bytes::from_static(b": open\n\n"), (admin, seen, false)))
    });
    let body = futures_util::StreamExt::map(events, Ok::<Bytes, Infallible>);
    let mut response = Response::new(Body::from_stream(body));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn event(revision: u64) -> Bytes {
    Bytes::from(format!("event: changed\nid: {revision}\ndata: {{}}\n\n"))
}
