//! `loggia auth keys`: API keys of this machine's `loggia up`. A key is printed once, alone on stdout, so that a
//! script can take it from there.

use std::path::Path;
use std::time::SystemTime;

use loggia_auth::error::AuthError;
use loggia_auth::keys::{ApiKeys, NewApiKey};
use loggia_gateway::{Credentials, VaultLocation, api_key_json, api_key_text, api_keys, os_user_name};
use serde_json::json;

use super::report::{print_json, show};
use crate::args::{FormatArgs, KeysArgs, KeysCommand, NewKeyArgs};
use crate::exit::{Failure, Outcome};
use crate::out::{self, DIM};
use crate::target::read_config;

/// `loggia auth keys`.
pub(crate) async fn run(args: &KeysArgs, config: Option<&Path>, credentials: &Credentials) -> Outcome {
    let config = read_config(config, credentials)?;
    let keys = api_keys(&VaultLocation::Environment.open(credentials, &config.server().vault_key).await?);
    match &args.command {
        KeysCommand::Create(new) => {
            let scopes = config.server().auth.clone().unwrap_or_default().scopes;
            create(&keys, new, scopes.required).await
        }
        KeysCommand::List(format) => list(&keys, *format).await,
        KeysCommand::Revoke { id, format } => revoke(&keys, id, *format).await,
    }
}

async fn create(keys: &ApiKeys, args: &NewKeyArgs, required: Vec<String>) -> Outcome {
    let now = SystemTime::now();
    let scopes: Vec<String> =
        args.scope.iter().flat_map(|scope| scope.split_whitespace()).map(str::to_owned).collect();
    let new = NewApiKey {
        subject: args.owner.clone().unwrap_or_else(os_user_name),
        label: args.label.clone().unwrap_or_default(),
        scopes: if scopes.is_empty() { required } else { scopes },
        expires: args.expires.map(|life| now + life),
    };
    let (key, secret) = keys.create(new, now).await.map_err(wrong)?;
    if args.format.is_human() {
        let line = out::paint(&api_key_text(&key, now));
        out::note(format!("{line}{DIM}The key, which is not shown again:{DIM:#}"));
        return Ok(out::print(format!("{}\n", secret.expose()))?);
    }
    let mut report = api_key_json(&key);
    report["key"] = secret.expose().into();
    print_json(&report)
}

async fn list(keys: &ApiKeys, format: FormatArgs) -> Outcome {
    let keys = keys.list().await.map_err(wrong)?;
    if keys.is_empty() && format.is_human() {
        out::note("there are no API keys; `loggia auth keys create` creates one");
    }
    let now = SystemTime::now();
    let json = json!({ "keys": keys.iter().map(api_key_json).collect::<Vec<_>>() });
    show(format, &json, &keys.iter().map(|key| api_key_text(key, now)).collect())
}

async fn revoke(keys: &ApiKeys, id: &str, format: FormatArgs) -> Outcome {
    let now = SystemTime::now();
    if !keys.revoke(id, now).await.map_err(wrong)? {
        return Err(Failure::usage(format!("there is no API key {id:?}"))
            .hint("`loggia auth keys list` lists the keys"));
    }
    let all = keys.list().await.map_err(wrong)?;
    let Some(key) = all.iter().find(|key| key.id == id) else { return Ok(()) };
    show(format, &api_key_json(key), &api_key_text(key, now))
}

fn wrong(error: AuthError) -> Failure {
    Failure::authorization(error, "TARGET")
}
