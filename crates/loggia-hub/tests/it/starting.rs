//! The start of connectors: their lists before they are connected, and the errors of those that fail.

use std::io::ErrorKind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use loggia::changes::{Change, ChangeSubscription};
use loggia::client::ClientBuilder;
use loggia::exchange::Exchange;
use loggia::model::{Implementation, SubscriptionFilter};
use loggia::service::{BoxFuture, Description, Outcome, Principal, Request};
use loggia::wire::{ErrorCode, Method, RpcError, Version};
use loggia::{Error, Service};
use loggia_hub::{Connector, ConnectorState, Hub, HubMemory, Opened, StartStatus};
use tokio::sync::watch;

use crate::fixture::{ERAS, Upstream, client, connector, hub, limits, switched};

/// A connector that opens when it is let, and never before.
fn gated(name: &str, upstream: &Arc<Upstream>) -> (Connector, watch::Sender<bool>) {
    let (open, opened) = watch::channel(false);
    let upstream = upstream.clone();
    let source = move |builder: ClientBuilder| -> BoxFuture<'static, loggia::Result<Opened>> {
        let (service, mut opened): (Arc<dyn Service>, _) = (upstream.clone(), opened.clone());
        Box::pin(async move {
            opened.wait_for(|open| *open).await.map_err(|_| Error::Connection("gone".to_owned()))?;
            Ok(Opened::Client(builder.version(ERAS[0]).connect(service).await?))
        })
    };
    // Only the gate decides when it opens.
    (Connector::new(name, source).starts_process(true), open)
}

fn start(connectors: Vec<Connector>, memory: HubMemory) -> Arc<Hub> {
    Hub::start_with_memory(Implementation::new("hub", "0"), connectors, limits(), memory).expect("good names")
}

async fn until_up(hub: &Arc<Hub>, name: &str) {
    let mut watch = hub.watch();
    let up = watch.wait_for(|all| all.iter().any(|status| *status.name == *name && status.is_up())).await;
    up.expect("the hub lives");
}

#[tokio::test(start_paused = true)]
async fn processes_wait_for_their_turn_and_others_do_not() {
    let upstream = Upstream::new();
    let (gated, gates): (Vec<_>, Vec<_>) =
        ["a", "b", "c"].map(|name| gated(name, &upstream)).into_iter().unzip();
    let connectors = gated.into_iter().chain([connector("remote", &upstream, ERAS[0])]).collect();
    let limits = loggia_hub::HubLimits { starts: 2, ..limits() };
    let hub = Hub::start(Implementation::new("hub", "0"), connectors, limits).expect("good names");
    until_up(&hub, "remote").await;
    let states = || -> Vec<Option<StartStatus>> {
        hub.status().iter().take(3).map(|status| status.starting.clone()).collect()
    };
    let running = Some(StartStatus::Running { last_line: None });
    assert_eq!(states(), [running.clone(), running.clone(), Some(StartStatus::Queued)]);
    gates[1].send(true).expect("it waits");
    until_up(&hub, "b").await;
    let mut watch = hub.watch();
    watch.wait_for(|all| all[2].starting == running).await.expect("the hub lives");
    // No limit but its own ends the start of a process.
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!(states(), [running.clone(), None, running]);
    gates.iter().for_each(|gate| {
        gate.send_replace(true);
    });
    hub.tried().await;
    assert!(hub.status().iter().all(|status| status.is_up()));
    hub.close().await;
}

/// A folder that goes with the test.
struct Folder(std::path::PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("loggia-hub-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a folder");
        Folder(path)
    }

    fn memory(&self) -> HubMemory {
        HubMemory::at(self.0.join("inside").join("lists.json"))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[tokio::test(start_paused = true)]
async fn the_first_list_is_whole_where_the_connector_was_there_in_an_earlier_run() {
    let folder = Folder::new("memory");
    let upstream = Upstream::new();
    let known = connector("slow", &upstream, ERAS[1]).fingerprint("command 1");
    let first = start(vec![known], folder.memory());
    first.tried().await;
    first.close().await;
    // The fingerprint now, and how many tools are listed before the connector is there.
    for (name, fingerprint, tools) in [
        ("the same", Some("command 1"), 10),
        ("another command", Some("command 2"), 0),
        ("nothing that identifies it", None, 0),
    ] {
        let (slow, gate) = gated("slow", &upstream);
        let slow = match fingerprint {
            Some(fingerprint) => slow.fingerprint(fingerprint),
            None => slow,
        };
        let hub = start(vec![slow], folder.memory());
        let client = client(&hub, ERAS[0]).await;
        assert_eq!(client.list_all_tools().await.expect("tools").len(), tools, "{name}");
        assert_eq!(client.list_all_resources().await.expect("resources").len(), tools / 5, "{name}");
        assert_eq!(hub.status()[0].remembered, tools > 0, "{name}");
        gate.send(true).expect("it waits");
        until_up(&hub, "slow").await;
        assert_eq!(client.list_all_tools().await.expect("tools").len(), 10, "{name}");
        assert!(!hub.status()[0].remembered, "{name}");
        drop(hub);
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_remembered_is_replaced_and_the_change_announced() {
    let folder = Folder::new("replaced");
    let upstream = Upstream::new();
    let first = start(vec![connector("slow", &upstream, ERAS[0]).fingerprint("x")], folder.memory());
    first.tried().await;
    first.close().await;
    upstream.tools.lock().expect("not poisoned").push("new".to_owned());
    let (slow, gate) = gated("slow", &upstream);
    let hub = start(vec![slow.fingerprint("x")], folder.memory());
    let client = client(&hub, ERAS[0]).await;
    let filter = SubscriptionFilter { tools_list_changed: Some(true), ..SubscriptionFilter::default() };
    let mut subscription = client.listen(filter).await.expect("a stream");
    assert_eq!(client.list_all_tools().await.expect("tools").len(), 10);
    gate.send(true).expect("it waits");
    assert_eq!(subscription.next().await, Some(Change::Tools));
    assert_eq!(client.list_all_tools().await.expect("tools").len(), 11);
}

#[cfg(unix)]
#[tokio::test(start_paused = true)]
async fn the_file_of_the_memory_is_private_and_a_damaged_one_is_none() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new("private");
    let upstream = Upstream::new();
    let file = folder.0.join("inside").join("lists.json");
    std::fs::create_dir_all(file.parent().expect("a folder")).expect("made");
    std::fs::write(&file, "{ damaged").expect("written");
    let hub = start(vec![connector("up", &upstream, ERAS[0]).fingerprint("x")], folder.memory());
    hub.tried().await;
    hub.close().await;
    assert_eq!(std::fs::metadata(&file).expect("written").permissions().mode() & 0o777, 0o600);
    let text = std::fs::read_to_string(&file).expect("text");
    assert!(text.contains("\"echo\""), "{text}");
    let names: Vec<_> =
        std::fs::read_dir(file.parent().expect("a folder")).expect("read").flatten().collect();
    assert_eq!(names.len(), 1, "no leftovers: {names:?}");
}

/// An upstream that answers one method with an error, or never.
struct Failing {
    upstream: Arc<Upstream>,
    method: Method,
    error: Mutex<Option<RpcError>>,
}

impl Service for Failing {
    fn describe(&self) -> Arc<Description> {
        self.upstream.describe()
    }

    fn call(&self, request: Request, exchange: Exchange) -> BoxFuture<'_, Outcome> {
        let error = self.error.lock().expect("not poisoned").clone();
        match error.filter(|_| request.method == self.method) {
            Some(error) if error.code == SILENCE => Box::pin(std::future::pending()),
            Some(error) => Box::pin(async move { Err(error) }),
            None => self.upstream.call(request, exchange),
        }
    }

    fn listen(
        &self,
        filter: SubscriptionFilter,
        principal: Option<Arc<Principal>>,
    ) -> BoxFuture<'_, Result<ChangeSubscription, RpcError>> {
        self.upstream.listen(filter, principal)
    }
}

/// Stands for an answer that never comes.
const SILENCE: ErrorCode = ErrorCode(1);

#[tokio::test(start_paused = true)]
async fn a_list_that_fails_is_a_problem_until_it_can_be_read() {
    let broken = || RpcError::new(ErrorCode(-32050), "the disk is full");
    let unknown = || RpcError::method_not_found("it");
    let cases = [
        (Method::ListTools, broken(), Some("the tools cannot be listed")),
        (Method::ListTools, unknown(), Some("the tools cannot be listed")),
        (
            Method::ListTools,
            RpcError::new(SILENCE, ""),
            Some("the tools cannot be listed: no answer within 120 s"),
        ),
        (Method::ListPrompts, broken(), Some("the prompts cannot be listed")),
        (Method::ListResources, broken(), Some("the resources cannot be listed")),
        (Method::ListResourceTemplates, broken(), Some("the resource templates cannot be listed")),
        // Servers that have no templates need not know the question.
        (Method::ListResourceTemplates, unknown(), None),
    ];
    for (method, error, problem) in cases {
        for version in ERAS {
            let failing = Arc::new(Failing {
                upstream: Upstream::new(),
                method: method.clone(),
                error: Mutex::new(Some(error.clone())),
            });
            let service = failing.clone();
            let source = move |builder: ClientBuilder| -> BoxFuture<'static, loggia::Result<Opened>> {
                let service: Arc<dyn Service> = service.clone();
                Box::pin(async move { Ok(Opened::Client(builder.version(version).connect(service).await?)) })
            };
            let hub = hub(vec![Connector::new("up", source)]).await;
            let status = hub.status()[0].clone();
            assert!(status.is_up(), "{method}: the other lists are served");
            match problem {
                Some(problem) => {
                    assert!(status.problems[0].starts_with(problem), "{method}: {:?}", status.problems)
                }
                None => assert!(status.problems.is_empty(), "{method}: {:?}", status.problems),
            }
            *failing.error.lock().expect("not poisoned") = None;
            let client = client(&hub, ERAS[0]).await;
            tokio::time::sleep(Duration::from_secs(61)).await;
            client.list_all_tools().await.expect("tools");
            let mut watch = hub.watch();
            let mended = watch.wait_for(|all| all[0].problems.is_empty());
            tokio::time::timeout(Duration::from_secs(60), mended)
                .await
                .expect("in time")
                .expect("the hub lives");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_kind_of_an_error_decides_whether_it_is_tried_again() {
    let io = |kind: ErrorKind| Error::Io(std::io::Error::new(kind, "the server could not be started"));
    let configuration = || Error::Configuration("the header \"x\" cannot be sent".to_owned());
    type MakeError = Box<dyn Fn() -> Error + Send + Sync>;
    // Attempts within ten minutes.
    let cases: Vec<(MakeError, std::ops::RangeInclusive<usize>)> = vec![
        (Box::new(configuration), 1..=1),
        (Box::new(move || io(ErrorKind::PermissionDenied)), 1..=1),
        (Box::new(move || io(ErrorKind::NotFound)), 10..=21),
        (Box::new(|| Error::Connection("refused".to_owned())), 15..=40),
    ];
    for (error, expected) in cases {
        let what = error().to_string();
        let attempts = Arc::new(AtomicUsize::new(0));
        let counted = attempts.clone();
        let source = move |_: ClientBuilder| -> BoxFuture<'static, loggia::Result<Opened>> {
            counted.fetch_add(1, Ordering::SeqCst);
            let error = error();
            Box::pin(async move { Err(error) })
        };
        let hub =
            hub(vec![Connector::new("wrong", source), connector("good", &Upstream::new(), ERAS[0])]).await;
        tokio::time::sleep(Duration::from_secs(600)).await;
        let tried = attempts.load(Ordering::SeqCst);
        assert!(expected.contains(&tried), "{what}: {tried} attempts");
        let status = hub.status()[0].clone();
        assert_eq!(status.state == ConnectorState::Failed, expected == (1..=1), "{what}: {status:?}");
        assert_eq!(status.last_error.as_deref(), Some(&*what));
        let client = client(&hub, ERAS[0]).await;
        assert_eq!(client.list_all_tools().await.expect("tools").len(), 10, "{what}: the other is served");
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_to_a_connector_that_is_not_tried_again_says_so() {
    let folder = Folder::new("failed");
    let upstream = Upstream::new();
    let first = start(vec![connector("up", &upstream, ERAS[0]).fingerprint("x")], folder.memory());
    first.tried().await;
    first.close().await;
    let wrong = |_: ClientBuilder| -> BoxFuture<'static, loggia::Result<Opened>> {
        Box::pin(async { Err(Error::Configuration("/secret/path is missing".to_owned())) })
    };
    let hub = start(vec![Connector::new("up", wrong).fingerprint("x")], folder.memory());
    hub.tried().await;
    let client = client(&hub, ERAS[0]).await;
    assert!(client.list_all_tools().await.expect("tools").is_empty(), "what cannot be called is not listed");
    let result = client.call_tool("up_echo", serde_json::json!({})).await.expect("a result");
    let said = crate::fixture::text(&result);
    assert!(result.failed() && said.contains("does not try again") && !said.contains("secret"), "{said}");
}

/// Reads URIs while the connector that stands first is in some state.
#[tokio::test(start_paused = true)]
async fn a_uri_belongs_to_the_first_connector_that_has_it_whoever_is_up() {
    const SAME: &str = "x://same";
    let first = Upstream::with_resources(vec![SAME]);
    let second = Upstream::with_resources(vec!["x://only-second", SAME, "note:///by/second"]);
    let folder = Folder::new("uris");
    let remembered = start(vec![connector("first", &first, ERAS[0]).fingerprint("x")], folder.memory());
    remembered.tried().await;
    remembered.close().await;

    #[derive(Clone, Copy, Debug, PartialEq)]
    enum FirstIs {
        Up,
        Down,
        DownForLong,
        StartingAndRemembered,
        StartingForTheFirstTime,
    }
    // The result of reading the URI: a part of the text or of the error.
    let cases = [
        (FirstIs::Up, SAME, "x://same says x://same"),
        (FirstIs::Up, "note:///by/second", "x://same says note:///by/second"),
        (FirstIs::Down, SAME, "\"first\" has been down"),
        (FirstIs::Down, "note:///by/second", "\"first\" has been down"),
        (FirstIs::DownForLong, SAME, "\"first\" has been down"),
        (FirstIs::DownForLong, "note:///by/second", "\"first\" has been down"),
        (FirstIs::StartingAndRemembered, SAME, "\"first\" is still being started"),
        (
            FirstIs::StartingForTheFirstTime,
            SAME,
            "may own x://same. Try again shortly, or read second+x://same",
        ),
        (FirstIs::Down, "second+x://same", "x://only-second says x://same"),
        (FirstIs::StartingForTheFirstTime, "second+x://same", "x://only-second says x://same"),
        (FirstIs::DownForLong, "x://only-second", "x://only-second says x://only-second"),
    ];
    for (state, uri, expected) in cases {
        let later = connector("second", &second, ERAS[0]);
        let (mut gate, mut switch) = (None, None);
        let earlier = match state {
            FirstIs::StartingAndRemembered | FirstIs::StartingForTheFirstTime => {
                let (connector, opens) = gated("first", &first);
                gate = Some(opens);
                if state == FirstIs::StartingAndRemembered { connector.fingerprint("x") } else { connector }
            }
            _ => {
                let (connector, turns) = switched("first", &first, ERAS[0]);
                switch = Some(turns);
                connector
            }
        };
        let hub = start(vec![earlier, later], folder.memory());
        until_up(&hub, "second").await;
        if let Some(switch) = switch {
            until_up(&hub, "first").await;
            if state != FirstIs::Up {
                switch.turn_off().await;
                let mut watch = hub.watch();
                let down = watch.wait_for(|all| matches!(all[0].state, ConnectorState::Down { .. }));
                drop(down.await.expect("the hub lives"));
            }
        }
        if state == FirstIs::DownForLong {
            tokio::time::sleep(Duration::from_secs(1200)).await;
        }
        let client = client(&hub, Version::V2026_07_28).await;
        let said = match client.read_resource(uri).await {
            Ok(read) => serde_json::to_string(&read.contents).expect("JSON"),
            Err(error) => error.to_string(),
        };
        assert!(said.contains(expected), "{state:?}, {uri}: {said}");
        drop(gate);
    }
}
