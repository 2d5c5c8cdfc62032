//! The present values of a user's answers: variables of the environment are read here.
//!
//! The proof and the sign-in need them, and the definition that is stored does not. Invariant: an error names the variable
//! and quotes no value.

use loggia_connect::manifest::{ConnectorManifest, ConnectorValues};
use loggia_connect::secret::Secret;
use serde_json::{Map, Value};

use super::answers::AddCredential;
use super::error::AddError;
use super::section;

/// Returns the values with which a manifest is filled: variables have their present values.
pub(super) fn values(
    manifest: &ConnectorManifest,
    config: &Map<String, Value>,
    credential: Option<Secret>,
) -> Result<ConnectorValues, AddError> {
    let mut current = config.clone();
    for (name, value) in &mut current {
        if let Value::String(text) = value {
            *text = expanded(name, text)?;
        }
    }
    manifest.values(&current, credential).map_err(AddError::Invalid)
}

/// Returns the present value of a text of the user: that of the variable that it consists of, or the text.
pub(super) fn expanded(field: &str, text: &str) -> Result<String, AddError> {
    match section::variable_in(text) {
        Some(name) => std::env::var(name).map_err(|_| not_set(field, name)),
        None => Ok(text.to_owned()),
    }
}

/// Returns the present value of a credential.
pub(super) fn current(credential: &AddCredential) -> Result<Secret, AddError> {
    let none = || match credential {
        AddCredential::Variable(name) => not_set("credential", name),
        AddCredential::Saved(_) => not_set("credential", ""),
    };
    credential.value().ok_or_else(none)
}

fn not_set(field: &str, variable: &str) -> AddError {
    let message = format!("the environment variable {variable} is not set");
    AddError::Invalid(vec![loggia_connect::manifest::ConfigProblem { field: field.to_owned(), message }])
}
