//! Loggia's server, client and `loggia up` against other implementations: every peer, transport and era goes through
//! the same operations, and the table shows which of them work. A cell that does not apply has a reason; none is
//! skipped silently.

mod clients;
mod drive;
mod plan;
mod servers;
mod table;

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use crate::outcome::Outcome;
use clients::{CLIENTS, Client};
use plan::Plans;
pub(crate) use servers::start_gateway;
use servers::{Kind, Wire};
use table::Row;

/// The number of drivers that run at the same time.
const WORKERS: usize = 3;

/// One row of the table: a client runs a plan with a server.
pub(crate) struct Job {
    client: &'static Client,
    server: Kind,
    wire: Wire,
}

/// Runs every row.
pub(crate) fn all() -> Outcome {
    run(&[])
}

/// Runs `cargo xtask interop [--filter TEXT] [--verbose]`: the rows whose name contains the text.
pub(crate) fn run(args: &[String]) -> Outcome {
    let filter = args.iter().position(|arg| arg == "--filter").and_then(|at| args.get(at + 1));
    let verbose = args.iter().any(|arg| arg == "--verbose");
    let plans = match Plans::read() {
        Ok(plans) => plans,
        Err(message) => return Outcome::failure(message),
    };
    let jobs: Vec<Job> = jobs().filter(|job| filter.is_none_or(|text| job.name().contains(text))).collect();
    let rows = work_off(&jobs, &plans, verbose);
    table::print(&rows);
    let mut outcome = Outcome::default();
    rows.into_iter().for_each(|row| outcome.add(row.into_outcome()));
    outcome
}

/// Runs five real servers behind one `loggia up`, with three clients at the same time.
pub(crate) fn five() -> Outcome {
    const CLIENTS_AT_ONCE: &[&str] = &["ts-2.4 pinned", "ts-1.32", "inspector modern"];
    let running = servers::start_hub(Wire::Http, servers::FIVE, "five");
    let (plans, running) = match (Plans::read(), running) {
        (Ok(plans), Ok(running)) => (plans, running),
        (Err(message), _) | (_, Err(message)) => return Outcome::failure(message),
    };
    let clients = CLIENTS.iter().filter(|client| CLIENTS_AT_ONCE.contains(&client.name));
    let jobs: Vec<Job> = clients.map(|client| Job { client, server: Kind::Hub, wire: Wire::Http }).collect();
    let plans = plans.through(servers::FIVE);
    let all = |job: &Job| -> Vec<Row> {
        let log = format!("five-{}", job.client.name.replace(' ', "-"));
        plans.iter().map(|plan| drive::row(job, plan, &running, &log)).collect()
    };
    let rows: Vec<Row> = std::thread::scope(|scope| {
        let threads: Vec<_> = jobs.iter().map(|job| scope.spawn(|| all(job))).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("a row does not panic")).collect()
    });
    table::print(&rows);
    let mut outcome = Outcome::default();
    rows.into_iter().for_each(|row| outcome.add(row.into_outcome()));
    outcome
}

/// Returns the jobs: Loggia's server with all clients, all servers with Loggia's client, and all servers through
/// `loggia up` with all clients.
fn jobs() -> impl Iterator<Item = Job> {
    let pairs = |clients: Vec<&'static Client>, servers: Vec<(Kind, Wire)>| {
        clients.into_iter().flat_map(move |client| {
            servers.clone().into_iter().map(move |(server, wire)| Job { client, server, wire })
        })
    };
    let everybody: Vec<&Client> = CLIENTS.iter().collect();
    let ours: Vec<&Client> = CLIENTS.iter().filter(|client| client.is_ours()).collect();
    pairs(everybody.clone(), servers::OURS.to_vec())
        .chain(pairs(ours, servers::THEIRS.to_vec()))
        .chain(pairs(everybody, servers::HUB.to_vec()))
}

fn work_off(jobs: &[Job], plans: &Plans, verbose: bool) -> Vec<Row> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                while let Some((at, job)) = take(jobs, &next) {
                    let rows = job.run(plans, verbose);
                    done.lock().expect("no worker panics while it holds this").push((at, rows));
                }
            });
        }
    });
    let mut done = done.into_inner().expect("no worker panics while it holds this");
    done.sort_by_key(|(at, _)| *at);
    done.into_iter().flat_map(|(_, rows)| rows).collect()
}

fn take<'a>(jobs: &'a [Job], next: &AtomicUsize) -> Option<(usize, &'a Job)> {
    let at = next.fetch_add(1, Ordering::Relaxed);
    jobs.get(at).map(|job| (at, job))
}

impl Job {
    fn name(&self) -> String {
        format!("{} {} {}", self.server.name(), self.wire.name(), self.client.name)
    }

    /// Returns a row for each plan of the server; `loggia up` has one for every connector.
    fn run(&self, plans: &Plans, verbose: bool) -> Vec<Row> {
        let begun = Instant::now();
        let rows = match (self.server, self.wire) {
            // With stdio each driver starts the gateway, with the one connector that it needs.
            (Kind::Hub, Wire::Stdio) => {
                servers::CONNECTORS.chunks(1).flat_map(|one| self.rows(plans, Some(one))).collect()
            }
            (Kind::Hub, Wire::Http) => self.rows(plans, Some(servers::CONNECTORS)),
            _ => self.rows(plans, None),
        };
        let failed = rows.iter().filter(|row| !row.is_ok()).count();
        if verbose || failed > 0 {
            let time = begun.elapsed().as_secs_f64();
            println!("  {}: {failed} of {} rows failed ({time:.1} s)", self.name(), rows.len());
        }
        rows
    }

    fn rows(&self, plans: &Plans, connectors: Option<&[(&'static str, Kind)]>) -> Vec<Row> {
        let log = self.name().replace(' ', "-");
        let (running, plans) = match connectors {
            Some(connectors) => (servers::start_hub(self.wire, connectors, &log), plans.through(connectors)),
            None => (servers::start(self.server, self.wire, &log), vec![plans.of(self.server)]),
        };
        match running {
            Ok(mut running) => {
                let mut rows: Vec<Row> =
                    plans.iter().map(|plan| drive::row(self, plan, &running, &log)).collect();
                rows.extend(running.complaint().map(|message| Row::failed(self, &message)));
                rows
            }
            Err(message) => vec![Row::failed(self, &message)],
        }
    }
}
