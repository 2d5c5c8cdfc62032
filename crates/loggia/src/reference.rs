//! References to entries of the log. After an internal failure the client gets a reference instead of the cause, and
//! the administrator finds the cause in the log with it.

/// Returns a short random reference, which is in the client's error and in the log.
pub fn correlation_id() -> String {
    // Without randomness the reference is only less unique; the answer is still sent.
    let bytes: [u8; 6] = crate::random::try_random().unwrap_or_default();
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
