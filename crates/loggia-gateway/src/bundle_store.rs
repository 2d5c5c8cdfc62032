//! The folder of unpacked MCPB bundles: each in a folder that its digest names, beside the credentials of the user.
//!
//! Invariant: a folder has all files of the bundle whose digest it is named after: a bundle is unpacked beside it and then
//! renamed.

use std::io::{Cursor, Read as _};
use std::path::{Path, PathBuf};

use loggia_auth::restricted_http::{FetchPolicy, RestrictedHttpClient};
use loggia_connect::bundle::{Bundle, MOST_BUNDLE, UserFolders, bundle_digest, bundle_program};
use loggia_connect::config_file::Stdio;
use loggia_connect::manifest::BundleProgram;
use loggia_connect::secret::Secret;
use url::Url;

use crate::credentials::Credentials;
use crate::error::{GatewayError, Result};

/// The name of the folder.
const FOLDER: &str = "bundles";

/// Returns the program of a bundle. Fetches and unpacks the bundle if that was not done before.
///
/// # Errors
///
/// [`GatewayError`] if the bundle cannot be fetched, has another digest, or cannot be unpacked or started here.
pub(crate) async fn program(bundle: &BundleProgram, credentials: &Credentials) -> Result<Stdio<Secret>> {
    let failed = |error: &dyn std::fmt::Display| {
        GatewayError::Configuration(format!("the bundle {} cannot be used: {error}", bundle.url))
    };
    let folder = credentials.path()?.join(FOLDER).join(bundle.digest.trim_start_matches("sha256:"));
    if !folder.is_dir() {
        let bytes = read_bundle(&bundle.url, credentials).await?;
        if bundle_digest(&bytes) != bundle.digest {
            return Err(failed(&"it has another digest than the manifest names"));
        }
        let target = folder.clone();
        let unpacked = tokio::task::spawn_blocking(move || unpack(bytes, &target)).await;
        unpacked.map_err(|error| failed(&error))?.map_err(|error| failed(&error))?;
    }
    let text = std::fs::read_to_string(folder.join("manifest.json")).map_err(|error| failed(&error))?;
    bundle_program(&text, &folder, bundle, &user_folders(), platform()).map_err(|error| failed(&error))
}

/// Reads the bytes of a bundle: a file, a `file:` URL or a URL.
///
/// # Errors
///
/// [`GatewayError`] if it cannot be read, or is longer than the bound.
pub(crate) async fn read_bundle(source: &str, credentials: &Credentials) -> Result<Vec<u8>> {
    let failed = |error: &dyn std::fmt::Display| {
        GatewayError::Configuration(format!("the bundle {source} cannot be read: {error}"))
    };
    let url = Url::parse(source).ok();
    if let Some(url) = url.as_ref().filter(|url| matches!(url.scheme(), "http" | "https")) {
        let most_bytes = usize::try_from(MOST_BUNDLE).unwrap_or(usize::MAX);
        let policy = FetchPolicy { most_bytes, ..credentials.policy(false).trusting(url) };
        let client = RestrictedHttpClient::new(policy).map_err(|error| failed(&error))?;
        let fetched = client.get(url).await.map_err(|error| failed(&error))?;
        return match fetched.status.is_success() {
            true => Ok(fetched.body.to_vec()),
            false => Err(failed(&format_args!("the server answers {}", fetched.status))),
        };
    }
    let path = url.and_then(|url| url.to_file_path().ok()).unwrap_or_else(|| PathBuf::from(source));
    let read = tokio::task::spawn_blocking(move || {
        let mut bytes = Vec::new();
        std::fs::File::open(path)?.take(MOST_BUNDLE + 1).read_to_end(&mut bytes).map(|_| bytes)
    });
    let bytes = read.await.map_err(|error| failed(&error))?.map_err(|error| failed(&error))?;
    match bytes.len() as u64 > MOST_BUNDLE {
        true => Err(failed(&"it is longer than 256 MiB")),
        false => Ok(bytes),
    }
}

/// Unpacks a bundle beside `target`, and renames it.
fn unpack(bytes: Vec<u8>, target: &Path) -> std::result::Result<(), String> {
    let parent = target.parent().ok_or("it has no folder")?;
    std::fs::create_dir_all(parent).map_err(|error| error.to_string())?;
    let folder = tempfile::Builder::new().prefix("unpacking-").tempdir_in(parent);
    let folder = folder.map_err(|error| error.to_string())?;
    let mut bundle = Bundle::open(Cursor::new(bytes)).map_err(|error| error.to_string())?;
    bundle.unpack(folder.path()).map_err(|error| error.to_string())?;
    match std::fs::rename(folder.path(), target) {
        // Another process may have unpacked the same bundle meanwhile.
        Err(error) if !target.is_dir() => Err(error.to_string()),
        _ => Ok(()),
    }
}

fn user_folders() -> UserFolders {
    UserFolders {
        home: dirs::home_dir(),
        desktop: dirs::desktop_dir(),
        documents: dirs::document_dir(),
        downloads: dirs::download_dir(),
    }
}

/// Returns the name of this system in bundles.
fn platform() -> &'static str {
    match std::env::consts::OS {
        "macos" => "darwin",
        "windows" => "win32",
        other => other,
    }
}
