//! The measurements in the order of the table, and Loggia's limits for each.

use super::contender::{self, Contender, Role};
use super::stage::Stage;

/// One measurement of several contenders.
pub(super) struct Row {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    /// True if it is a part of `--quick`.
    pub(super) quick: bool,
    pub(super) probe: Probe,
    pub(super) metrics: Vec<Metric>,
    pub(super) contenders: Vec<Contender>,
    /// True if it is counted, not timed, so that once is enough.
    pub(super) once: bool,
}

/// The kind of a measurement.
pub(super) enum Probe {
    /// `bench-load` with these arguments starts the contender and sends requests.
    Load(Vec<&'static str>),
    /// The contender is a client, with this number of open calls.
    Client(usize),
    /// `bench-load` with these arguments runs twice, and valgrind counts the allocations.
    Allocations(Vec<&'static str>),
}

/// A figure of a row that the table shows.
#[derive(Clone)]
pub(super) struct Metric {
    /// Its name among the figures.
    pub(super) key: &'static str,
    pub(super) unit: &'static str,
    pub(super) targets: Vec<Target>,
}

/// The limit for Loggia.
#[derive(Clone, Copy)]
pub(super) enum Target {
    /// This multiple of the floor.
    Floor(f64),
    /// This multiple of a peer.
    Peer(&'static str, f64),
    /// This value.
    Most(f64),
}

fn metric(key: &'static str, unit: &'static str, targets: &[Target]) -> Metric {
    Metric { key, unit, targets: targets.to_vec() }
}

/// Returns the metrics of every load, with the limits for CPU time per call.
fn load(cpu: &[Target]) -> Vec<Metric> {
    vec![
        metric("cpu_us", "CPU µs/call", cpu),
        metric("calls_s", "calls/s", &[]),
        metric("p50_us", "p50 µs", &[]),
        metric("p99_us", "p99 µs", &[]),
        metric("rss_kib", "memory KiB", &[]),
        metric("peak_kib", "peak KiB", &[]),
    ]
}

fn one_at_a_time(p50: f64) -> Vec<Metric> {
    let mut metrics = load(&[]);
    metrics[2].targets.push(Target::Floor(p50));
    metrics
}

fn start() -> Vec<Metric> {
    let start = metric("start_ms", "first answer ms", &[Target::Floor(1.3)]);
    vec![start, metric("idle_kib", "memory KiB", &[])]
}

/// Returns all rows.
pub(super) fn all(stage: &Stage) -> Vec<Row> {
    let mut rows = calls();
    rows.extend(kinds_of_calls(stage));
    rows.extend(stdio());
    rows.extend(memory());
    rows.extend(clients_and_relays(stage));
    rows.push(add(stage));
    rows.extend(allocations());
    rows
}

fn calls() -> Vec<Row> {
    let row = |name, about, connections, metrics| {
        http(name, about, &["http", "--connections", connections], metrics)
    };
    let cpu = || load(&[Target::Floor(1.3)]);
    vec![
        row("http-1", "HTTP 2026-07-28, one connection", "1", one_at_a_time(1.1)),
        row("http-16", "HTTP 2026-07-28, 16 connections", "16", cpu()).quick(),
        row("http-64", "HTTP 2026-07-28, 64 connections", "64", cpu()).quick(),
        row("http-256", "HTTP 2026-07-28, 256 connections", "256", cpu()),
        with_tools("tools-100", "HTTP, 64 connections, 100 further tools, beside the same without", "100"),
        with_tools(
            "tools-10000",
            "HTTP, 64 connections, 10,000 further tools, beside the same without",
            "10000",
        ),
    ]
}

/// Returns the row with the same call to a server with many tools, compared with Loggia with few.
fn with_tools(name: &'static str, about: &'static str, count: &'static str) -> Row {
    let few = contender::ours().named("loggia, few tools", Role::Floor);
    let mut contenders = vec![contender::ours().with(["--tools", count]), few];
    if count == "100" {
        contenders.extend(contender::servers().into_iter().map(|peer| peer.with(["--tools", count])));
    }
    row(
        name,
        about,
        Probe::Load(vec!["http", "--connections", "64"]),
        load(&[Target::Floor(1.1)]),
        contenders,
    )
}

fn kinds_of_calls(stage: &Stage) -> Vec<Row> {
    let session = ["http", "--connections", "64", "--era", "legacy"];
    let progress = ["http", "--connections", "64", "--kind", "progress"];
    let large = ["http", "--connections", "16", "--bytes", "65536"];
    let list = Probe::Load(vec!["http", "--connections", "16", "--kind", "list"]);
    let canned =
        contender::floor("the same bytes").with(["--canned".into(), stage.list.as_os_str().to_owned()]);
    let mut lists = vec![contender::ours().with(["--tools", "96"]), canned];
    // Of their own tools, rmcp has as many as Loggia, and the others have one fewer.
    let further = |name: &str| if name.starts_with("rmcp") { "96" } else { "97" };
    lists.extend(contender::servers().into_iter().map(|peer| {
        let further = further(peer.name);
        peer.with(["--tools", further])
    }));
    let mut with_progress = vec![contender::ours(), contender::floor("hyper")];
    with_progress.extend(contender::servers());
    vec![
        http("session", "HTTP 2025-11-25 in sessions, 64 connections", &session, load(&[Target::Floor(1.5)])),
        row(
            "progress",
            "HTTP, a reply of two events, 64 connections",
            Probe::Load(progress.to_vec()),
            load(&[Target::Floor(2.0)]),
            with_progress,
        ),
        http("large", "HTTP, 64 KiB request and reply, 16 connections", &large, load(&[Target::Floor(1.2)])),
        row("list", "tools/list of 100 tools, 16 connections", list, load(&[Target::Floor(2.0)]), lists),
    ]
}

fn stdio() -> Vec<Row> {
    let in_flight = |count| Probe::Load(vec!["stdio", "--in-flight", count]);
    let contenders = || {
        let mut all = vec![contender::ours(), contender::floor("a loop")];
        all.extend(contender::servers());
        all
    };
    let cpu = [Target::Floor(2.0), Target::Peer("rmcp tuned", 0.5), Target::Peer("rmcp", 0.1)];
    let started = |transport| Probe::Load(vec!["start", "--transport", transport, "--times", "5"]);
    let mut over_http = http("start-http", "from the start to the first answer, HTTP", &[], start());
    over_http.probe = started("http");
    vec![
        row("stdio-64", "stdio, 64 in flight", in_flight("64"), load(&cpu), contenders()).quick(),
        row("stdio-1", "stdio, one at a time", in_flight("1"), one_at_a_time(1.2), contenders()),
        row(
            "start-stdio",
            "from the start to the first answer, stdio",
            started("stdio"),
            start(),
            contenders(),
        ),
        over_http,
    ]
}

fn memory() -> Vec<Row> {
    let idle = vec![
        metric("idle_kib", "idle KiB", &[Target::Floor(1.2)]),
        metric("kib_per_connection", "KiB/connection", &[Target::Most(16.0)]),
    ];
    // 100 MB are 95.4 MiB.
    let listen = vec![
        metric("rss_mib", "memory MiB", &[Target::Most(95.4)]),
        metric("peak_mib", "peak MiB", &[]),
        metric("reached_ms", "to all, ms", &[Target::Most(1000.0)]),
    ];
    let streams = Probe::Load(vec!["listen", "--connections", "10000"]);
    vec![
        http("idle", "memory when idle, and of each of 1,000 idle connections", &["idle"], idle),
        row("listen", "10,000 open streams, and one change", streams, listen, vec![contender::ours()]),
    ]
}

fn clients_and_relays(stage: &Stage) -> Vec<Row> {
    let cpu = |targets: &[Target]| {
        vec![metric("cpu_us", "CPU µs/call", targets), metric("calls_s", "calls/s", &[])]
    };
    let clients = vec![
        contender::our_client(),
        contender::floor("hyper").with(["--client"]),
        contender::rmcp_client(),
        contender::typescript_client(),
    ];
    let relays = vec![
        contender::our_hub(&stage.config),
        contender::floor("reverse proxy").with(["--proxy", &stage.url]),
    ];
    let relay = Probe::Load(vec!["http", "--connections", "16"]);
    let client = [Target::Floor(1.5), Target::Peer("rmcp", 1.0 / 3.0)];
    vec![
        row("client", "a client, 16 calls in flight", Probe::Client(16), cpu(&client), clients),
        row(
            "relay",
            "relaying a call to an HTTP server, 16 connections",
            relay,
            load(&[Target::Floor(1.5)]),
            relays,
        ),
    ]
}

/// Returns the row of the commands that add a server and call it, in an empty home folder.
fn add(stage: &Stage) -> Row {
    let targets = [Target::Peer("mcporter", 0.5), Target::Peer("fastmcp", 0.25)];
    row(
        "add",
        "from adding an HTTP server to the first call, in an empty home folder",
        Probe::Load(vec!["add", "--times", "3"]),
        vec![metric("add_ms", "first call ms", &targets), metric("cpu_ms", "CPU ms", &targets)],
        vec![
            contender::our_add(&stage.url),
            contender::mcporter_add(&stage.url),
            contender::fastmcp_call(&stage.url),
        ],
    )
}

fn allocations() -> Vec<Row> {
    let http = vec!["http", "--connections", "4"];
    let stdio = vec!["stdio", "--in-flight", "4"];
    let count = |target| vec![metric("allocations", "allocations/call", &[target])];
    let over_http = {
        let peers = [contender::rmcp(), contender::rmcp_tuned(), contender::tower_mcp()];
        [contender::ours(), contender::axum(), contender::hyper()].into_iter().chain(peers).collect()
    };
    let over_stdio =
        vec![contender::ours(), contender::floor("a loop"), contender::rmcp(), contender::tower_mcp()];
    let rows = [
        row(
            "allocations-http",
            "allocations of a call, HTTP",
            Probe::Allocations(http),
            count(Target::Floor(1.2)),
            over_http,
        ),
        row(
            "allocations-stdio",
            "allocations of a call, stdio",
            Probe::Allocations(stdio),
            count(Target::Most(30.0)),
            over_stdio,
        ),
    ];
    rows.into_iter().map(|row| Row { once: true, ..row }).collect()
}

/// Creates a row of calls over HTTP, with both floors and every peer.
fn http(name: &'static str, about: &'static str, load: &[&'static str], metrics: Vec<Metric>) -> Row {
    let mut contenders = vec![contender::ours(), contender::axum(), contender::hyper()];
    contenders.extend(contender::servers());
    row(name, about, Probe::Load(load.to_vec()), metrics, contenders)
}

fn row(
    name: &'static str,
    about: &'static str,
    probe: Probe,
    metrics: Vec<Metric>,
    contenders: Vec<Contender>,
) -> Row {
    Row { name, about, quick: false, probe, metrics, contenders, once: false }
}

impl Row {
    fn quick(mut self) -> Self {
        self.quick = true;
        self
    }
}
