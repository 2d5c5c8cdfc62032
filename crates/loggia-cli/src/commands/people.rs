//! `loggia auth people`: lists the users who signed in to this machine's `loggia up` and to its connectors, without their
//! credentials, and removes a user who leaves.

use std::path::Path;

use loggia_gateway::{Credentials, RevocationFailure, Users, VaultLocation};

use super::report::show;
use crate::args::{PeopleArgs, PeopleCommand};
use crate::exit::Outcome;
use crate::out::{self, WARN};
use crate::target::read_config;
use crate::text::one_line;

/// `loggia auth people`.
pub(crate) async fn run(args: &PeopleArgs, config: Option<&Path>, credentials: &Credentials) -> Outcome {
    let config = read_config(config, credentials)?;
    let users = Users::open(&config, credentials, &VaultLocation::Environment).await?;
    match &args.command {
        PeopleCommand::List(format) => {
            let all = users.list().await?;
            if all.is_empty() && format.is_human() {
                out::note("no user has signed in");
            }
            show(*format, &all.to_json(), &all.to_text())
        }
        PeopleCommand::Remove { owner, format } => {
            let removed = users.remove(owner).await?;
            warn(&removed.forgotten.failures);
            show(*format, &removed.to_json(), &removed.to_text())
        }
        PeopleCommand::SignOut { owner, format } => {
            let ended = users.sign_out(owner).await?;
            show(*format, &ended.to_json(), &ended.to_text())
        }
        PeopleCommand::Forget { owner, connector, format } => {
            let forgotten = users.forget(owner, connector.as_deref()).await?;
            warn(&forgotten.failures);
            show(*format, &forgotten.to_json(), &forgotten.to_text())
        }
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
