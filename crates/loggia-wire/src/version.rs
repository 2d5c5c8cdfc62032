//! The revisions of the protocol. A version is parsed once, at the edge, and then compared as an enum: no code
//! compares version strings.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A revision of the protocol. Ordered by date.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Version {
    /// 2024-11-05: the first; stdio and HTTP+SSE.
    #[serde(rename = "2024-11-05")]
    V2024_11_05,
    /// 2025-03-26: Streamable HTTP, batches, annotations, audio.
    #[serde(rename = "2025-03-26")]
    V2025_03_26,
    /// 2025-06-18: elicitation, structured output, resource links, no batches.
    #[serde(rename = "2025-06-18")]
    V2025_06_18,
    /// 2025-11-25: icons, sampling with tools, URL elicitation.
    #[serde(rename = "2025-11-25")]
    V2025_11_25,
    /// 2026-07-28: the modern revision; each request contains everything that it needs.
    #[serde(rename = "2026-07-28")]
    V2026_07_28,
}

/// The two kinds of revisions: with sessions, and with self-contained requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Era {
    /// A session is opened with `initialize` (2025-11-25 and earlier).
    Legacy,
    /// Every request is self-contained (2026-07-28 and later).
    Modern,
}

impl Version {
    /// Every revision, oldest first.
    pub const ALL: [Version; 5] = [
        Version::V2024_11_05,
        Version::V2025_03_26,
        Version::V2025_06_18,
        Version::V2025_11_25,
        Version::V2026_07_28,
    ];
    /// The newest revision.
    pub const LATEST: Version = Version::V2026_07_28;
    /// The newest legacy revision.
    pub const LATEST_LEGACY: Version = Version::V2025_11_25;

    /// Returns the era this revision belongs to.
    pub const fn era(self) -> Era {
        match self {
            Version::V2026_07_28 => Era::Modern,
            _ => Era::Legacy,
        }
    }

    /// Returns whether requests of this revision are self-contained.
    pub const fn is_modern(self) -> bool {
        matches!(self.era(), Era::Modern)
    }

    /// Returns whether this revision has JSON-RPC batches (2025-03-26 requires them).
    pub const fn has_batches(self) -> bool {
        matches!(self, Version::V2024_11_05 | Version::V2025_03_26)
    }

    /// Returns the name on the wire, for example `2026-07-28`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Version::V2024_11_05 => "2024-11-05",
            Version::V2025_03_26 => "2025-03-26",
            Version::V2025_06_18 => "2025-06-18",
            Version::V2025_11_25 => "2025-11-25",
            Version::V2026_07_28 => "2026-07-28",
        }
    }

    /// Returns the revision with this name; `None` if there is none.
    pub fn named(name: &str) -> Option<Version> {
        Version::ALL.into_iter().find(|version| version.as_str() == name)
    }

    /// Returns the answer of a legacy server to a client that asked for `requested`: the same revision if it is a known
    /// legacy revision, otherwise our newest (`initialize`, "Version Negotiation").
    pub fn negotiate_legacy(requested: &str) -> Version {
        match requested.parse::<Version>() {
            Ok(version) if version.era() == Era::Legacy => version,
            _ => Version::LATEST_LEGACY,
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A version name that is not one of the known revisions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownVersion(pub String);

impl fmt::Display for UnknownVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unknown protocol version {:?}", self.0)
    }
}

impl std::error::Error for UnknownVersion {}

impl FromStr for Version {
    type Err = UnknownVersion;

    fn from_str(name: &str) -> Result<Version, UnknownVersion> {
        Version::named(name).ok_or_else(|| UnknownVersion(name.to_owned()))
    }
}
