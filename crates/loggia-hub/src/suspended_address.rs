//! The address of a suspended call: the replica that keeps it, and a random id.
//!
//! The client sends it back with its answer, as `requestState`. In a gateway with several replicas, it says which
//! replica must get the answer. The id has 128 random bits, so that only the client that was asked knows it.

use std::fmt;
use std::str::FromStr;

use ring::error::Unspecified;
use ring::rand::{SecureRandom, SystemRandom};

/// The beginning of an address. It distinguishes the state of a suspended call from the state of other servers.
const BEGIN: &str = "loggia-parked-";

/// The id of one run of a hub among the replicas of a gateway.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ReplicaId([u8; 8]);

/// The address of a suspended call, as it is in `requestState`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SuspendedCallAddress {
    replica: ReplicaId,
    call: [u8; 16],
}

/// The error for a text that is not the address of a suspended call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidAddress;

impl ReplicaId {
    /// Creates a random id.
    pub(crate) fn random() -> ReplicaId {
        // Without randomness no call is suspended, so the id is not used.
        ReplicaId(random_bytes().unwrap_or_default())
    }
}

impl SuspendedCallAddress {
    /// Returns the address of one more call of `replica`. Fails if the operating system has no randomness.
    pub(crate) fn random(replica: ReplicaId) -> Result<SuspendedCallAddress, Unspecified> {
        Ok(SuspendedCallAddress { replica, call: random_bytes()? })
    }

    /// Returns the replica that keeps the call.
    pub fn replica(&self) -> ReplicaId {
        self.replica
    }
}

fn random_bytes<const N: usize>() -> Result<[u8; N], Unspecified> {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes)?;
    Ok(bytes)
}

impl fmt::Display for ReplicaId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for ReplicaId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ReplicaId({self})")
    }
}

impl fmt::Display for SuspendedCallAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{BEGIN}{}-", self.replica)?;
        self.call.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Does not show the id of the call, which is a secret of its client.
impl fmt::Debug for SuspendedCallAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SuspendedCallAddress").field("replica", &self.replica).finish_non_exhaustive()
    }
}

impl FromStr for SuspendedCallAddress {
    type Err = InvalidAddress;

    fn from_str(state: &str) -> Result<SuspendedCallAddress, InvalidAddress> {
        let (replica, call) =
            state.strip_prefix(BEGIN).and_then(|rest| rest.split_once('-')).ok_or(InvalidAddress)?;
        Ok(SuspendedCallAddress { replica: ReplicaId(hex_bytes(replica)?), call: hex_bytes(call)? })
    }
}

/// Reads lower-case hexadecimal text of exactly `N` bytes.
fn hex_bytes<const N: usize>(text: &str) -> Result<[u8; N], InvalidAddress> {
    let digits: Vec<u8> = text.bytes().map(hex_digit).collect::<Result<_, _>>()?;
    let bytes: Vec<u8> =
        digits.chunks(2).map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit)).collect();
    if digits.len() == 2 * N { bytes.try_into().map_err(|_| InvalidAddress) } else { Err(InvalidAddress) }
}

fn hex_digit(byte: u8) -> Result<u8, InvalidAddress> {
    match byte {
        b'0'..=b'9' => Ok(byte - b'0'),
        b'a'..=b'f' => Ok(byte - b'a' + 10),
        _ => Err(InvalidAddress),
    }
}

impl fmt::Display for InvalidAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("this is not the address of a suspended call")
    }
}

impl std::error::Error for InvalidAddress {}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn texts_that_are_no_addresses_are_refused() {
        let good = format!("loggia-parked-{}-{}", "0f".repeat(8), "a1".repeat(16));
        assert_eq!(good.parse::<SuspendedCallAddress>().map(|address| address.to_string()), Ok(good.clone()));
        for bad in [
            String::new(),
            "loggia-parked-".to_owned(),
            format!("loggia-parked-{}", "a1".repeat(16)),
            format!("loggia-parked-{}-{}", "0f".repeat(7), "a1".repeat(16)),
            format!("loggia-parked-{}-{}", "0f".repeat(8), "a1".repeat(15)),
            format!("loggia-parked-{}-{}a", "0f".repeat(8), "a1".repeat(16)),
            good.to_uppercase(),
            good.replace("0f", "0F"),
            format!("{good} "),
            format!("x{good}"),
        ] {
            assert_eq!(bad.parse::<SuspendedCallAddress>(), Err(InvalidAddress), "{bad:?}");
        }
    }

    #[test]
    fn an_address_does_not_show_its_id_in_logs() {
        let replica = ReplicaId([1; 8]);
        let address = SuspendedCallAddress { replica, call: [0xab; 16] };
        assert!(!format!("{address:?}").contains("abab"), "{address:?}");
        assert!(format!("{address:?}").contains("0101"), "{address:?}");
    }

    proptest! {
        #[test]
        fn an_address_is_read_as_it_was_written(replica in any::<[u8; 8]>(), call in any::<[u8; 16]>()) {
            let address = SuspendedCallAddress { replica: ReplicaId(replica), call };
            prop_assert_eq!(address.to_string().parse(), Ok(address));
        }

        #[test]
        fn any_text_is_read_or_refused(text in ".{0,80}") {
            let _ = text.parse::<SuspendedCallAddress>();
        }
    }
}
