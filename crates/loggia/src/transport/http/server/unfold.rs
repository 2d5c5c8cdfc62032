//! Streams of events that are made one after the other, when they are asked for. A few lines of ours, since
//! the library that has this takes as long to build as hyper.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_core::Stream;

/// Returns a stream of the events that `next` makes from `state`, until it returns `None`.
pub(super) fn unfold<S, F, N>(state: S, next: F) -> impl Stream<Item = Bytes> + Send
where
    S: Send,
    F: FnMut(S) -> N + Send,
    N: Future<Output = Option<(Bytes, S)>> + Send,
{
    Unfold { state: Some(state), next, making: None }
}

struct Unfold<S, F, N> {
    state: Option<S>,
    next: F,
    making: Option<Pin<Box<N>>>,
}

/// Nothing in it is pinned by where it stands.
impl<S, F, N> Unpin for Unfold<S, F, N> {}

impl<S, F, N> Stream for Unfold<S, F, N>
where
    F: FnMut(S) -> N,
    N: Future<Output = Option<(Bytes, S)>>,
{
    type Item = Bytes;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let this = self.get_mut();
        if let Some(state) = this.state.take() {
            this.making = Some(Box::pin((this.next)(state)));
        }
        let Some(making) = &mut this.making else { return Poll::Ready(None) };
        making.as_mut().poll(cx).map(|made| {
            this.making = None;
            let (event, state) = made?;
            this.state = Some(state);
            Some(event)
        })
    }
}

#[cfg(test)]
mod tests {
    use futures_util::StreamExt;

    use super::*;

    #[tokio::test]
    async fn events_come_in_their_order_and_then_no_more() {
        let mut events = Box::pin(unfold(0_u8, |n| async move {
            tokio::task::yield_now().await;
            (n < 3).then(|| (Bytes::from(n.to_string()), n + 1))
        }));
        for expected in [Some("0"), Some("1"), Some("2"), None, None] {
            assert_eq!(events.next().await.as_deref(), expected.map(str::as_bytes));
        }
    }
}
