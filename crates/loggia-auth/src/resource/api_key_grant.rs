//! The verified token of an API key, for a layer that accepts API keys in addition to tokens.

use super::{Grant, TokenError};
use crate::clock;
use crate::keys::{ApiKey, ApiKeyError};

impl From<ApiKey> for Grant {
    fn from(key: ApiKey) -> Grant {
        Grant {
            subject: key.subject,
            issuer: None,
            client: Some(format!("key:{}", key.id)),
            scopes: key.scopes,
            expires: key.expires.map(clock::from_seconds),
            key: None,
        }
    }
}

impl From<ApiKeyError> for TokenError {
    fn from(error: ApiKeyError) -> TokenError {
        match error {
            ApiKeyError::Invalid(why) => TokenError::Invalid(why.to_owned()),
            ApiKeyError::Unavailable(why) => TokenError::Unavailable(why),
            ApiKeyError::Failed(why) => TokenError::Failed(why),
        }
    }
}
