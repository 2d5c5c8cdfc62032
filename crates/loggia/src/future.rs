//! Futures on the heap.

use std::pin::Pin;

/// A future on the heap, for traits used as objects.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;
