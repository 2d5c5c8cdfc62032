//! `loggia auth people`: lists the users who signed in to this machine's `loggia up` and to its connectors, without their
//! credentials, and removes a user who leaves.

use std::path::Path;
use std::time::SystemTime;

use loggia_gateway::{
    Credentials, EndedAccess, RemovedUser, RevocationFailure, Users, VaultLocation, user_credential_json,
};
use loggia_store::{CredentialKind, VaultEntry};
use serde_json::{Value, json};

use super::report::{json as print_json, length};
use crate::args::{OutputArg, PeopleArgs, PeopleCommand};
use crate::exit::{Failure, Outcome};
use crate::out::{self, DIM, NAME, WARN};
use crate::target::read_config;
use crate::text::{count, one_line, pad};

/// `loggia auth people`.
pub(crate) async fn run(args: &PeopleArgs, config: Option<&Path>, credentials: &Credentials) -> Outcome {
    let users =
        Users::open(&read_config(config, credentials)?, credentials, &VaultLocation::Environment).await?;
    match &args.command {
        PeopleCommand::List { output } => list(&users, *output).await,
        PeopleCommand::Remove { owner, output } => remove(&users, owner, *output).await,
        PeopleCommand::SignOut { owner, output } => sign_out(&users, owner, *output).await,
        PeopleCommand::Forget { owner, connector, output } => {
            forget(&users, owner, connector.as_deref(), *output).await
        }
    }
}

async fn list(users: &Users, output: OutputArg) -> Outcome {
    let entries = users.credentials(None).await?;
    let here = users.signed_in().await?;
    match output {
        OutputArg::Json => {
            let here: Vec<Value> = here
                .iter()
                .map(|(owner, programs)| json!({ "owner": owner, "programs": programs }))
                .collect();
            print_json(
                &json!({ "hub": here, "people": entries.iter().map(user_credential_json).collect::<Vec<_>>() }),
            )
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

async fn remove(users: &Users, owner: &str, output: OutputArg) -> Outcome {
    let RemovedUser { access, credentials, failures } = users.remove(owner).await?;
    if access.is_empty() && credentials.is_empty() {
        return Err(Failure::usage(format!("there is no sign-in, API key or credential of {owner:?}"))
            .hint("`loggia auth people list` lists the users who have signed in"));
    }
    warn(&failures);
    match output {
        OutputArg::Json => {
            let forgotten = credentials.iter().map(user_credential_json).collect::<Vec<_>>();
            let EndedAccess { sign_ins, keys } = access;
            print_json(
                &json!({ "owner": owner, "signedOut": sign_ins, "keysRevoked": keys, "forgotten": forgotten }),
            )
        }
        OutputArg::Human => {
            Ok(out::print(signed_out(&access, owner) + &credentials.iter().map(line).collect::<String>())?)
        }
    }
}

async fn sign_out(users: &Users, owner: &str, output: OutputArg) -> Outcome {
    let access = users.end_access(owner).await?;
    if access.is_empty() {
        return Err(Failure::usage(format!("{owner:?} is not signed in, and has no API key"))
            .hint("`loggia auth people list` lists the users who have signed in"));
    }
    match output {
        OutputArg::Json => {
            let EndedAccess { sign_ins, keys } = access;
            print_json(&json!({ "owner": owner, "signedOut": sign_ins, "keysRevoked": keys }))
        }
        OutputArg::Human => Ok(out::print(signed_out(&access, owner))?),
    }
}

/// For people.
fn signed_out(access: &EndedAccess, owner: &str) -> String {
    format!(
        "{NAME}{}{NAME:#} is signed out: {} and {} ended\n",
        one_line(owner),
        count(access.sign_ins, "sign-in"),
        count(access.keys, "API key"),
    )
}

async fn forget(users: &Users, owner: &str, connector: Option<&str>, output: OutputArg) -> Outcome {
    let entries = users.credentials_at(owner, connector).await?;
    if entries.is_empty() {
        return Err(Failure::usage(format!("there is no such credential of {owner:?}"))
            .hint("`loggia auth people list` lists the users and their credentials"));
    }
    warn(&users.forget(owner, &entries).await?);
    match output {
        OutputArg::Json => {
            print_json(&json!({ "forgotten": entries.iter().map(user_credential_json).collect::<Vec<_>>() }))
        }
        OutputArg::Human => Ok(out::print(entries.iter().map(line).collect::<String>())?),
    }
}

/// Warns of deleted credentials that stay valid at the servers that issued them.
fn warn(failures: &[RevocationFailure]) {
    for RevocationFailure { connector, reason } in failures {
        let reason = one_line(reason);
        out::note(format!(
            "{WARN}{connector}: deleted here, but not revoked at the server: {reason}{WARN:#}"
        ));
    }
}

fn kind(kind: CredentialKind) -> &'static str {
    match kind {
        CredentialKind::OAuth => "signed in",
        _ => "API key",
    }
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
