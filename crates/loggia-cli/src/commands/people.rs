//! `loggia auth people`: who has signed in to this machine's `loggia up`, and to its connectors for themselves, without
//! what they were given; and the end of that, for somebody who leaves.

use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use loggia_auth::clock::system;
use loggia_auth::error::AuthError;
use loggia_auth::server::SessionAdmin;
use loggia_connect::manifest::connector_name;
use loggia_store::{CredentialKind, StoreError, Vault, VaultEntry};
use serde_json::{Value, json};

use super::report::{json as print_json, length};
use super::up::{API_KEY, AUTHORIZATION, Accounts};
use crate::args::{OutputArg, PeopleArgs, PeopleCommand};
use crate::config::Config;
use crate::credentials::Credentials;
use crate::exit::{Failure, Outcome};
use crate::out::{self, DIM, NAME, WARN};
use crate::render::text::{count, one_line, pad};
use crate::vault;

/// What the names of tokens begin with. Beside them are sign-ins that were begun.
const TOKENS: &str = "credential/";

/// `loggia auth people`.
pub(crate) async fn run(args: &PeopleArgs, config: Option<&Path>, credentials: &Credentials) -> Outcome {
    let config = Config::read(config, credentials.redactor())?;
    let vault = vault::open(credentials, &config.server.vault_key).await?;
    match &args.command {
        PeopleCommand::List { output } => list(&vault, *output).await,
        PeopleCommand::Remove { owner, output } => {
            let accounts = Accounts::new("", None, &vault, credentials);
            remove(&vault, &config, &accounts, owner, *output).await
        }
        PeopleCommand::SignOut { owner, output } => sign_out(&vault, owner, *output).await,
        PeopleCommand::Forget { owner, connector, output } => {
            let accounts = Accounts::new("", None, &vault, credentials);
            forget(&vault, &config, &accounts, (owner, connector.as_deref()), *output).await
        }
    }
}

async fn list(vault: &Vault, output: OutputArg) -> Outcome {
    let entries = held(vault, None).await?;
    let here = people(vault).signed_in().await.map_err(wrong)?;
    match output {
        OutputArg::Json => {
            let here: Vec<Value> = here
                .iter()
                .map(|(owner, programs)| json!({ "owner": owner, "programs": programs }))
                .collect();
            print_json(&json!({ "hub": here, "people": entries.iter().map(report).collect::<Vec<_>>() }))
        }
        OutputArg::Human if entries.is_empty() && here.is_empty() => {
            out::note("no user has signed in");
            Ok(())
        }
        OutputArg::Human => {
            let here = here.iter().map(|(owner, programs)| {
                let with = count(*programs, "program");
                format!(
                    "{NAME}{}{NAME:#} this gateway     signed in  {DIM}with {with}{DIM:#}\n",
                    pad(&one_line(owner), 16)
                )
            });
            Ok(out::print(here.chain(entries.iter().map(line)).collect::<String>())?)
        }
    }
}

/// Ends everything of a person who leaves. Their sign-ins and keys end first, so that nothing new begins meanwhile.
async fn remove(
    vault: &Vault,
    config: &Config,
    accounts: &Accounts,
    owner: &str,
    output: OutputArg,
) -> Outcome {
    let access = HubAccess::end(vault, owner).await?;
    let entries = held(vault, Some(owner)).await?;
    if access.is_empty() && entries.is_empty() {
        return Err(Failure::usage(format!("there is no sign-in, API key or credential of {owner:?}"))
            .hint("`loggia auth people list` lists the users who have signed in"));
    }
    forget_all(vault, config, accounts, owner, &entries).await?;
    match output {
        OutputArg::Json => {
            let forgotten = entries.iter().map(report).collect::<Vec<_>>();
            let HubAccess { sign_ins, keys } = access;
            print_json(
                &json!({ "owner": owner, "signedOut": sign_ins, "keysRevoked": keys, "forgotten": forgotten }),
            )
        }
        OutputArg::Human => {
            Ok(out::print(access.line(owner) + &entries.iter().map(line).collect::<String>())?)
        }
    }
}

async fn sign_out(vault: &Vault, owner: &str, output: OutputArg) -> Outcome {
    let access = HubAccess::end(vault, owner).await?;
    if access.is_empty() {
        return Err(Failure::usage(format!("{owner:?} is not signed in, and has no API key"))
            .hint("`loggia auth people list` lists the users who have signed in"));
    }
    match output {
        OutputArg::Json => {
            let HubAccess { sign_ins, keys } = access;
            print_json(&json!({ "owner": owner, "signedOut": sign_ins, "keysRevoked": keys }))
        }
        OutputArg::Human => Ok(out::print(access.line(owner))?),
    }
}

/// The access of one person to the hub itself, after it was ended.
struct HubAccess {
    sign_ins: usize,
    keys: usize,
}

impl HubAccess {
    /// Ends the sign-ins of a person, and revokes their API keys.
    async fn end(vault: &Vault, owner: &str) -> Outcome<HubAccess> {
        let sign_ins = people(vault).sign_out(owner).await.map_err(wrong)?;
        let keys = vault::api_keys(vault).revoke_all(owner, SystemTime::now()).await.map_err(wrong)?;
        Ok(HubAccess { sign_ins, keys })
    }

    fn is_empty(&self) -> bool {
        self.sign_ins + self.keys == 0
    }

    fn line(&self, owner: &str) -> String {
        format!(
            "{NAME}{}{NAME:#} is signed out: {} and {} ended\n",
            one_line(owner),
            count(self.sign_ins, "sign-in"),
            count(self.keys, "API key"),
        )
    }
}

/// Who has signed in to the hub itself.
fn people(vault: &Vault) -> SessionAdmin {
    SessionAdmin::new(Arc::new(vault.internal(AUTHORIZATION)), system())
}

async fn forget(
    vault: &Vault,
    config: &Config,
    accounts: &Accounts,
    (owner, connector): (&str, Option<&str>),
    output: OutputArg,
) -> Outcome {
    let mut entries = held(vault, Some(owner)).await?;
    let connector = connector.map(|written| connector_name(written).unwrap_or_else(|_| written.to_owned()));
    entries.retain(|entry| connector.as_ref().is_none_or(|connector| entry.connector == *connector));
    if entries.is_empty() {
        return Err(Failure::usage(format!("there is no such credential of {owner:?}"))
            .hint("`loggia auth people list` lists the users and their credentials"));
    }
    forget_all(vault, config, accounts, owner, &entries).await?;
    match output {
        OutputArg::Json => {
            print_json(&json!({ "forgotten": entries.iter().map(report).collect::<Vec<_>>() }))
        }
        OutputArg::Human => Ok(out::print(entries.iter().map(line).collect::<String>())?),
    }
}

/// Deletes credentials of a person, and revokes them at the servers that gave them.
async fn forget_all(
    vault: &Vault,
    config: &Config,
    accounts: &Accounts,
    owner: &str,
    entries: &[VaultEntry],
) -> Outcome {
    let own = config.own();
    for entry in entries {
        let account =
            own.iter().find(|own| own.name() == entry.connector).map(|own| accounts.of(own.clone()));
        let taken_back = match account {
            Some(account) => account.sign_out(owner).await.map_err(|error| error.to_string()),
            None => Err("the connector is no longer in the configuration".to_owned()),
        };
        if let Err(why) = taken_back {
            out::note(format!(
                "{WARN}{}: deleted here, but not revoked at the server: {}{WARN:#}",
                entry.connector,
                one_line(&why)
            ));
        }
        vault.forget_connector(owner, &entry.connector).await.map_err(failed)?;
    }
    Ok(())
}

/// What people were given.
async fn held(vault: &Vault, owner: Option<&str>) -> Outcome<Vec<VaultEntry>> {
    let mut entries = vault.list(owner).await.map_err(failed)?;
    entries.retain(|entry| entry.name.starts_with(TOKENS) || entry.name == API_KEY);
    Ok(entries)
}

fn failed(error: StoreError) -> Failure {
    Failure::usage(error)
}

fn wrong(error: AuthError) -> Failure {
    Failure::usage(error)
}

fn kind(kind: CredentialKind) -> &'static str {
    match kind {
        CredentialKind::OAuth => "signed in",
        _ => "API key",
    }
}

fn report(entry: &VaultEntry) -> Value {
    json!({
        "owner": entry.owner,
        "connector": entry.connector,
        "kind": entry.kind.to_string(),
        "since": loggia_auth::clock::seconds(entry.created),
        "renewedAt": loggia_auth::clock::seconds(entry.updated),
    })
}

/// For people.
fn line(entry: &VaultEntry) -> String {
    let ago = |time: SystemTime| length(SystemTime::now().duration_since(time).unwrap_or_default().as_secs());
    format!(
        "{NAME}{}{NAME:#} {} {}  {DIM}{} ago, renewed {} ago{DIM:#}\n",
        pad(&one_line(&entry.owner), 16),
        pad(&one_line(&entry.connector), 16),
        kind(entry.kind),
        ago(entry.created),
        ago(entry.updated),
    )
}
