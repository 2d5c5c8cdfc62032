//! `loggia auth keys`: API keys of this machine's `loggia up`. A key is printed once, alone on stdout, so that a
//! script can take it from there.

use std::path::Path;
use std::time::{Duration, SystemTime};

use loggia_auth::error::AuthError;
use loggia_auth::keys::{ApiKey, ApiKeys, NewApiKey};
use loggia_gateway::{Credentials, VaultLocation, api_key_json, api_keys, os_user_name};
use serde_json::json;

use super::report::{json as print_json, length};
use crate::args::{KeysArgs, KeysCommand, NewKeyArgs, OutputArg};
use crate::exit::{Failure, Outcome};
use crate::out::{self, DIM, GOOD, NAME, WARN};
use crate::target::read_config;
use crate::text::{one_line, pad};

/// `loggia auth keys`.
pub(crate) async fn run(args: &KeysArgs, config: Option<&Path>, credentials: &Credentials) -> Outcome {
    let config = read_config(config, credentials)?;
    let keys = api_keys(&VaultLocation::Environment.open(credentials, &config.server().vault_key).await?);
    match &args.command {
        KeysCommand::Create(new) => {
            let scopes = config.server().auth.clone().unwrap_or_default().scopes;
            create(&keys, new, scopes.required).await
        }
        KeysCommand::List { output } => list(&keys, *output).await,
        KeysCommand::Revoke { id, output } => revoke(&keys, id, *output).await,
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
    match args.output {
        OutputArg::Json => {
            let mut report = api_key_json(&key);
            report["key"] = secret.expose().into();
            print_json(&report)
        }
        OutputArg::Human => {
            out::note(format!("{}{DIM}The key, which is not shown again:{DIM:#}", line(&key, now)));
            Ok(out::print(format!("{}\n", secret.expose()))?)
        }
    }
}

async fn list(keys: &ApiKeys, output: OutputArg) -> Outcome {
    let keys = keys.list().await.map_err(wrong)?;
    match output {
        OutputArg::Json => print_json(&json!({ "keys": keys.iter().map(api_key_json).collect::<Vec<_>>() })),
        OutputArg::Human if keys.is_empty() => {
            out::note("there are no API keys; `loggia auth keys create` creates one");
            Ok(())
        }
        OutputArg::Human => {
            let now = SystemTime::now();
            Ok(out::print(keys.iter().map(|key| line(key, now)).collect::<String>())?)
        }
    }
}

async fn revoke(keys: &ApiKeys, id: &str, output: OutputArg) -> Outcome {
    let now = SystemTime::now();
    if !keys.revoke(id, now).await.map_err(wrong)? {
        return Err(Failure::usage(format!("there is no API key {id:?}"))
            .hint("`loggia auth keys list` lists the keys"));
    }
    let all = keys.list().await.map_err(wrong)?;
    let Some(key) = all.iter().find(|key| key.id == id) else { return Ok(()) };
    match output {
        OutputArg::Json => print_json(&api_key_json(key)),
        OutputArg::Human => Ok(out::print(line(key, now))?),
    }
}

fn wrong(error: AuthError) -> Failure {
    Failure::authorization(error, "TARGET")
}

/// For people.
fn line(key: &ApiKey, now: SystemTime) -> String {
    let now = now.duration_since(SystemTime::UNIX_EPOCH).as_ref().map_or(0, Duration::as_secs);
    let (mark, until) = match (key.revoked, key.expires) {
        (Some(_), _) => (format!("{WARN}-{WARN:#}"), "revoked".to_owned()),
        (None, Some(end)) if end <= now => (format!("{WARN}-{WARN:#}"), "expired".to_owned()),
        (None, Some(end)) => (format!("{GOOD}✓{GOOD:#}"), format!("expires in {}", length(end - now))),
        (None, None) => (format!("{GOOD}✓{GOOD:#}"), "does not expire".to_owned()),
    };
    let label = if key.label.is_empty() { String::new() } else { format!("  {}", one_line(&key.label)) };
    format!(
        "{mark} {NAME}{}{NAME:#} {}  {DIM}{}  {until}{DIM:#}{label}\n",
        pad(&key.id, 12),
        one_line(&key.subject),
        one_line(&key.scopes.join(" "))
    )
}
