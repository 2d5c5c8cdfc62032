//! Sources of the signed assertions that some grant types send.

use std::path::PathBuf;

use loggia::service::BoxFuture;

use crate::error::AuthError;
use crate::secret::Secret;

/// A source of signed assertions about a user or a program, from an issuer that the authorization server trusts.
pub trait AssertionSource: Send + Sync + 'static {
    /// Returns an assertion that is valid now. `audience` is the issuer that receives it.
    fn assertion<'a>(&'a self, audience: &'a str) -> BoxFuture<'a, Result<Secret, AuthError>>;

    /// Marks an assertion as refused, so that it is not sent again.
    fn refused<'a>(&'a self, assertion: &'a Secret) -> BoxFuture<'a, ()> {
        let _ = assertion;
        Box::pin(std::future::ready(()))
    }
}

/// An assertion that does not change.
#[derive(Debug, Clone)]
pub struct FixedAssertion(pub Secret);

impl AssertionSource for FixedAssertion {
    fn assertion<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Secret, AuthError>> {
        Box::pin(std::future::ready(Ok(self.0.clone())))
    }
}

/// An assertion in a file that the platform renews. The file is read for each request.
#[derive(Debug, Clone)]
pub struct AssertionFile(pub PathBuf);

impl AssertionSource for AssertionFile {
    fn assertion<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Secret, AuthError>> {
        let path = self.0.clone();
        Box::pin(async move {
            let wrong =
                |why: String| AuthError::Configuration(format!("no assertion in {}: {why}", path.display()));
            let read = tokio::task::spawn_blocking({
                let path = path.clone();
                move || std::fs::read_to_string(path)
            });
            let text = read.await.map_err(|error| wrong(error.to_string()))?;
            let text = Secret::new(text.map_err(|error| wrong(error.to_string()))?);
            match text.expose().trim() {
                "" => Err(wrong("it is empty".to_owned())),
                trimmed => Ok(Secret::new(trimmed)),
            }
        })
    }
}
