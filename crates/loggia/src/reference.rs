//! References to entries of the log. A client that is told of an internal failure gets a reference instead of the
//! cause, by which the administrator finds the cause.

/// Returns a short random name that joins what a client is told with what the log says.
pub fn correlation_id() -> String {
    // Without randomness the reference is only less unique; the answer still goes out.
    let bytes: [u8; 6] = crate::random::try_random().unwrap_or_default();
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
