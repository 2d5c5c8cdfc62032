//! The rules for a set of connectors, which are checked before a change, and the report of a change.

use std::collections::BTreeMap;
use std::fmt;

use crate::connector::Connector;
use crate::names::{InvalidName, check_connector};
use crate::transform::ComponentKind;

/// The reason why a set of connectors is refused. The hub is unchanged then.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConnectorSetError {
    /// A prefix has a form that is not allowed.
    InvalidPrefix(InvalidName),
    /// Two connectors have the same name.
    DuplicateName(String),
    /// Two connectors have the same prefix.
    DuplicatePrefix {
        /// The prefix.
        prefix: String,
        /// The names of the connectors.
        connectors: [String; 2],
    },
    /// Two connectors have an empty prefix.
    SeveralUnprefixed([String; 2]),
    /// Two renames of a connector have the same target.
    DuplicateRename {
        /// The name of the connector.
        connector: String,
        /// The kind of the components.
        kind: ComponentKind,
        /// The name that both components would have.
        exposed_name: String,
    },
    /// There is no connector of this name.
    UnknownConnector(String),
    /// The hub was closed.
    Closed,
}

impl fmt::Display for ConnectorSetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ConnectorSetError::InvalidPrefix(error) => error.fmt(f),
            ConnectorSetError::DuplicateName(name) => write!(f, "two connectors are called {name:?}"),
            ConnectorSetError::DuplicatePrefix { prefix, connectors: [one, two] } => {
                write!(
                    f,
                    "the connectors {one:?} and {two:?} have the same prefix {prefix:?}: change one of them"
                )
            }
            ConnectorSetError::SeveralUnprefixed([one, two]) => {
                write!(f, "the connectors {one:?} and {two:?} have no prefix: give one of them a prefix")
            }
            ConnectorSetError::DuplicateRename { connector, kind, exposed_name } => {
                write!(
                    f,
                    "the connector {connector:?} gives the name {exposed_name:?} to more than one {kind}"
                )
            }
            ConnectorSetError::UnknownConnector(name) => write!(f, "there is no connector {name:?}"),
            ConnectorSetError::Closed => f.write_str("the hub was closed"),
        }
    }
}

impl std::error::Error for ConnectorSetError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            ConnectorSetError::InvalidPrefix(error) => Some(error),
            _ => None,
        }
    }
}

/// The effect of a change of connectors. Each list has names, in the order of the connectors.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConnectorSetChange {
    /// Connectors that were added.
    pub added: Vec<String>,
    /// Connectors that get a new connection, because their settings for connecting changed.
    pub reconnected: Vec<String>,
    /// Connectors that keep their connection, process, lists and suspended calls. Their names or filters may have
    /// changed.
    pub kept: Vec<String>,
    /// Connectors that were removed.
    pub removed: Vec<String>,
}

/// Checks a whole set of connectors.
pub(crate) fn check(connectors: &[Connector]) -> Result<(), ConnectorSetError> {
    let mut names = BTreeMap::new();
    let mut prefixes = BTreeMap::new();
    let mut unprefixed: Option<&str> = None;
    for connector in connectors {
        let (name, exposure) = (connector.name(), &connector.exposure);
        check_connector(&exposure.prefix).map_err(ConnectorSetError::InvalidPrefix)?;
        if names.insert(name, ()).is_some() {
            return Err(ConnectorSetError::DuplicateName(name.to_owned()));
        }
        if let Some(other) = prefixes.insert(&*exposure.prefix, name) {
            let (prefix, connectors) = (exposure.prefix.to_string(), [other.to_owned(), name.to_owned()]);
            return Err(ConnectorSetError::DuplicatePrefix { prefix, connectors });
        }
        if let Some(other) = exposure.unprefixed.then(|| unprefixed.replace(name)).flatten() {
            return Err(ConnectorSetError::SeveralUnprefixed([other.to_owned(), name.to_owned()]));
        }
        if let Some((kind, exposed_name)) = exposure.renames.conflict() {
            return Err(ConnectorSetError::DuplicateRename {
                connector: name.to_owned(),
                kind: *kind,
                exposed_name: exposed_name.clone(),
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use loggia::client::ClientBuilder;
    use loggia::service::BoxFuture;

    use super::*;
    use crate::connector::Opened;

    fn connector(name: &str) -> Connector {
        let open = |_: ClientBuilder| -> BoxFuture<'static, loggia::Result<Opened>> {
            Box::pin(std::future::pending())
        };
        Connector::new(name, open)
    }

    #[test]
    fn a_set_whose_names_could_be_confused_is_refused() {
        let renamed = |name: &str| connector(name).rename_tool("a", "x");
        // The set, and a part of the error; `None` if the set is valid.
        let cases: Vec<(Vec<Connector>, Option<&str>)> = vec![
            (vec![], None),
            (vec![connector("a"), connector("b")], None),
            (vec![connector("a").prefix(""), connector("b")], None),
            (vec![connector("Some Name").prefix("some-name")], None),
            (vec![renamed("a"), renamed("b")], None),
            (vec![connector("a_b")], Some("\"a_b\" cannot name a connector")),
            (vec![connector("")], Some("\"\" cannot name a connector")),
            (vec![connector("a"), connector("a")], Some("two connectors are called \"a\"")),
            (vec![connector("a"), connector("a").prefix("b")], Some("two connectors are called \"a\"")),
            (vec![connector("a"), connector("b").prefix("a")], Some("\"a\" and \"b\" have the same prefix")),
            (
                vec![connector("a").prefix(""), connector("b").prefix("")],
                Some("\"a\" and \"b\" have no prefix"),
            ),
            (vec![renamed("a").rename_tool("b", "x")], Some("the name \"x\" to more than one tool")),
        ];
        for (set, expected) in cases {
            let error = check(&set).err().map(|error| error.to_string());
            match expected {
                None => assert_eq!(error, None, "{set:?}"),
                Some(part) => {
                    assert!(error.as_ref().is_some_and(|error| error.contains(part)), "{set:?}: {error:?}");
                }
            }
        }
    }
}
