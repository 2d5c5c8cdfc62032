//! Random bytes for keys, nonces and ids.

use ring::rand::{SecureRandom, SystemRandom};

/// Returns random bytes of the operating system, or `None` if it has no randomness.
pub(crate) fn try_random<const N: usize>() -> Option<[u8; N]> {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).ok()?;
    Some(bytes)
}

/// Returns random bytes of the operating system.
///
/// # Panics
///
/// If the operating system has no randomness. If the program can continue without it, call [`try_random`].
pub(crate) fn random<const N: usize>() -> [u8; N] {
    try_random().expect("the operating system has randomness")
}
