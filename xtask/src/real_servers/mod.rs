//! Real servers with rich schemas, each called over its own standard streams and through `loggia up`: every entry of
//! their lists, and every result and error, must arrive with the bytes that the server wrote. Each revision of a
//! server is combined with each revision of a client of the gateway.

mod difference;
mod expected;
mod http;
mod json_tree;
mod lint;
mod page;
mod recording;
mod revision;
mod servers;
mod session;
mod stdio;

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use crate::command::Run;
use crate::outcome::Outcome;
use crate::{interop, paths};
use http::HttpTransport;
use recording::{NAME_PREFIX, Recording, RevisionPair};
use revision::Revision;
use servers::RealServer;
use session::{OpenError, RawSession};
use stdio::StdioTransport;

/// The number of servers that are compared at the same time.
const WORKERS: usize = 3;

/// A server in one of its revisions.
struct ServerComparison<'a> {
    server: &'a RealServer,
    revision: Revision,
    home: PathBuf,
}

/// Compares every server in every pair of revisions.
pub(crate) fn run(args: &[String]) -> Outcome {
    let filter = args.iter().position(|arg| arg == "--filter").and_then(|at| args.get(at + 1));
    let servers = match prepare() {
        Ok(servers) => servers,
        Err(message) => return Outcome::failure(message),
    };
    let comparisons = match comparisons(&servers, filter.map_or("", String::as_str)) {
        Ok(comparisons) => comparisons,
        Err(message) => return Outcome::failure(message),
    };
    let queue = Mutex::new(comparisons.iter());
    let outcome = Mutex::new(Outcome::default());
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                let next = || queue.lock().expect("no worker panics while it holds this").next();
                while let Some(comparison) = next() {
                    let found = comparison.run();
                    outcome.lock().expect("no worker panics while it holds this").add(found);
                }
            });
        }
    });
    outcome.into_inner().expect("no worker panics while it holds this")
}

fn prepare() -> Result<Vec<RealServer>, String> {
    let page = page::serve()?;
    let repository = paths::fresh("real-servers/repository")?;
    prepare_repository(&repository)?;
    servers::read(&[("page", page.to_string()), ("repository", repository.display().to_string())])
}

/// Creates a Git repository with one commit and one uncommitted change.
fn prepare_repository(dir: &Path) -> Result<(), String> {
    let write = |text: &str| {
        std::fs::write(dir.join("été.txt"), text)
            .map_err(|e| format!("cannot write to {}: {e}", dir.display()))
    };
    let git = |args: &[&str]| {
        let identity = [("NAME", "Ada"), ("EMAIL", "ada@example.com"), ("DATE", "2026-01-02T03:04:05Z")];
        let variables = identity.iter().flat_map(|(name, value)| {
            ["AUTHOR", "COMMITTER"].map(|role| (format!("GIT_{role}_{name}"), *value))
        });
        let run = Run::new("git", "real-servers-git").args(args).current_dir(dir);
        variables.fold(run, |run, (name, value)| run.env(&name, value)).finish()?.check()
    };
    git(&["init", "--quiet", "--initial-branch=main"])?;
    write("\"one\" \\ é\n")?;
    git(&["add", "--all"])?;
    git(&["commit", "--quiet", "--no-gpg-sign", "--message", "A \"quoted\" subject, é"])?;
    write("\"two\"\t☃\n")
}

fn comparisons<'a>(servers: &'a [RealServer], filter: &str) -> Result<Vec<ServerComparison<'a>>, String> {
    let mut comparisons = Vec::new();
    for server in servers.iter().filter(|server| server.name.contains(filter)) {
        for revision in server.revisions()? {
            let home = paths::fresh(&format!("real-servers/home-{}-{}", server.name, revision.as_str()))?;
            comparisons.push(ServerComparison { server, revision, home });
        }
    }
    if comparisons.is_empty() {
        Err(format!("no server's name contains '{filter}'"))
    } else {
        Ok(comparisons)
    }
}

impl ServerComparison<'_> {
    fn name(&self) -> String {
        format!("{}-{}", self.server.name, self.revision.as_str())
    }

    fn run(&self) -> Outcome {
        match self.compare() {
            Ok(outcome) => outcome,
            Err(message) => Outcome::failure(format!("{}: {message}", self.name())),
        }
    }

    fn compare(&self) -> Result<Outcome, String> {
        let direct = self.record_directly().map_err(|e| format!("without the gateway: {e}"))?;
        let log = format!("real-{}", self.name());
        let config = self.server.config(self.revision, &self.home)?;
        let state = self.home.join("state").display().to_string();
        let (_gateway, address) = interop::start_gateway(&config, &log, &[("LOGGIA_STATE", state)])?;
        let mut outcome = Outcome::default();
        if self.server.revisions()?.first() == Some(&self.revision) {
            outcome.record(&self.server.name, self.check_other_revisions());
            outcome.record(&format!("{}: lint", self.server.name), lint::check(self.server, &self.home));
        }
        for (client, direct) in Revision::ALL.into_iter().zip(&direct) {
            let name = format!("{} for a client of {}", self.name(), client.as_str());
            let session = RawSession::open(HttpTransport::new(address, client), client);
            let record = |mut session| Recording::make(&mut session, &self.server.requests, NAME_PREFIX);
            match session.map_err(String::from).and_then(record) {
                Ok(relayed) => {
                    let pair = RevisionPair { server: self.revision, client };
                    for (subject, compared) in pair.compare(&self.server.requests, direct, &relayed) {
                        outcome.record(&format!("{name}: {subject}"), compared);
                    }
                }
                Err(message) => outcome.fail(format!("{name}: {message}")),
            }
        }
        Ok(outcome)
    }

    /// Records the responses of the server, once for each revision of a client, because a result may depend on
    /// earlier requests, and the clients of the gateway share one server.
    fn record_directly(&self) -> Result<Vec<Recording>, String> {
        let run = self.server.run(&self.home, &format!("real-{}-direct", self.name()))?;
        let mut session = RawSession::open(StdioTransport::start(run)?, self.revision)?;
        Revision::ALL.iter().map(|_| Recording::make(&mut session, &self.server.requests, "")).collect()
    }

    /// Checks that the server refuses the revisions that `servers.json` does not name, so that an update cannot add
    /// one unnoticed.
    fn check_other_revisions(&self) -> Result<(), String> {
        let named = self.server.revisions()?;
        for revision in Revision::ALL.into_iter().filter(|revision| !named.contains(revision)) {
            let run = self.server.run(&self.home, &format!("real-{}-other", self.name()))?;
            let revision_name = revision.as_str();
            match RawSession::open(StdioTransport::start(run)?, revision) {
                Err(OpenError::NotSpoken(_)) => {}
                Ok(_) => return Err(format!("speaks {revision_name}: add it to servers.json")),
                Err(OpenError::Failed(reason)) => {
                    return Err(format!("does not say whether it speaks {revision_name}: {reason}"));
                }
            }
        }
        Ok(())
    }
}
