//! The revision that a client negotiates: a table of servers and results.

use std::time::Duration;

use loggia::client::{Client, EraMemory, Negotiation};
use loggia::wire::Version::{self, *};
use serde_json::{Value, json};

use crate::client_peer::{Peer, discovered, initialized};

/// The reaction of a server to a request.
#[derive(Clone)]
enum Does {
    Silence,
    Refuse(i64, Value),
    /// An error with a null id: the server could not read the request.
    Nameless(i64),
    Answer(Value),
    /// Text that is no message, then an error.
    Noise(i64),
}
use Does::*;

struct Case {
    name: &'static str,
    client: Negotiation,
    discover: Vec<Does>,
    initialize: Does,
    /// The methods the server hears, and the version agreed on or a part of the error.
    heard: &'static [&'static str],
    outcome: Result<Version, &'static str>,
}

const PROBE: &str = "server/discover";
const OPEN: &str = "initialize";
const DONE: &str = "notifications/initialized";

fn cases() -> Vec<Case> {
    let auto = Negotiation::Auto;
    let unsupported = |list: &[&str]| Refuse(-32022, json!({ "supported": list, "requested": "2026-07-28" }));
    let old = || Answer(initialized("2025-11-25"));
    let case = |name, client, discover, initialize, heard, outcome| Case {
        name,
        client,
        discover,
        initialize,
        heard,
        outcome,
    };
    vec![
        case("modern", auto, vec![Answer(discovered(&["2026-07-28"]))], Silence, &[PROBE], Ok(V2026_07_28)),
        case(
            "method not found",
            auto,
            vec![Refuse(-32601, Value::Null)],
            old(),
            &[PROBE, OPEN, DONE],
            Ok(V2025_11_25),
        ),
        case(
            "invalid params",
            auto,
            vec![Refuse(-32602, Value::Null)],
            old(),
            &[PROBE, OPEN, DONE],
            Ok(V2025_11_25),
        ),
        case(
            "error of its own",
            auto,
            vec![Refuse(-32000, Value::Null)],
            old(),
            &[PROBE, OPEN, DONE],
            Ok(V2025_11_25),
        ),
        case("nameless error", auto, vec![Nameless(-32600)], old(), &[PROBE, OPEN, DONE], Ok(V2025_11_25)),
        case("silent", auto, vec![Silence], old(), &[PROBE, OPEN, DONE], Ok(V2025_11_25)),
        case("noisy", auto, vec![Noise(-32601)], old(), &[PROBE, OPEN, DONE], Ok(V2025_11_25)),
        case("answers anything", auto, vec![Answer(json!({}))], old(), &[PROBE, OPEN, DONE], Ok(V2025_11_25)),
        case(
            "older legacy",
            auto,
            vec![Refuse(-32601, Value::Null)],
            Answer(initialized("2024-11-05")),
            &[PROBE, OPEN, DONE],
            Ok(V2024_11_05),
        ),
        case(
            "refuses, then takes the same version",
            auto,
            vec![unsupported(&["2026-07-28"]), Answer(discovered(&["2026-07-28"]))],
            Silence,
            &[PROBE, PROBE],
            Ok(V2026_07_28),
        ),
        case(
            "refuses for ever",
            auto,
            vec![unsupported(&["2026-07-28"]); 4],
            Silence,
            &[PROBE, PROBE, PROBE],
            Err("no common protocol version"),
        ),
        case(
            "modern, with legacy revisions only",
            auto,
            vec![unsupported(&["2025-06-18", "2099-01-01"])],
            Answer(initialized("2025-06-18")),
            &[PROBE, OPEN, DONE],
            Ok(V2025_06_18),
        ),
        case(
            "discovered, with legacy revisions only",
            auto,
            vec![Answer(discovered(&["2025-06-18"]))],
            Answer(initialized("2025-06-18")),
            &[PROBE, OPEN, DONE],
            Ok(V2025_06_18),
        ),
        case(
            "from the future",
            auto,
            vec![unsupported(&["2099-01-01"])],
            Silence,
            &[PROBE],
            Err("no common protocol version"),
        ),
        case(
            "a modern error is no reason to fall back",
            auto,
            vec![Refuse(-32021, json!({}))],
            old(),
            &[PROBE],
            Err("-32021"),
        ),
        case(
            "initialize answers an unknown version",
            auto,
            vec![Refuse(-32601, Value::Null)],
            Answer(initialized("1999-01-01")),
            &[PROBE, OPEN],
            Err("1999-01-01"),
        ),
        case(
            "initialize answers nonsense",
            auto,
            vec![Refuse(-32601, Value::Null)],
            Answer(json!({ "protocolVersion": 5 })),
            &[PROBE, OPEN],
            Err("initialize answered"),
        ),
        case("never answers", auto, vec![Silence], Silence, &[PROBE, OPEN], Err("no answer within 30 s")),
        case("legacy only", Negotiation::Legacy, vec![], old(), &[OPEN, DONE], Ok(V2025_11_25)),
        case(
            "fixed modern, old server",
            Negotiation::Fixed(V2026_07_28),
            vec![Refuse(-32601, Value::Null)],
            old(),
            &[PROBE],
            Err("opens like one of an older era"),
        ),
        case(
            "fixed legacy",
            Negotiation::Fixed(V2025_03_26),
            vec![],
            Answer(initialized("2025-03-26")),
            &[OPEN, DONE],
            Ok(V2025_03_26),
        ),
        case(
            "fixed legacy, the server wants another",
            Negotiation::Fixed(V2025_03_26),
            vec![],
            old(),
            &[OPEN],
            Err("no common protocol version"),
        ),
    ]
}

/// Plays the server until the client is gone; what it heard, in order.
async fn serve(mut peer: Peer, discover: Vec<Does>, initialize: Does) -> Vec<String> {
    let mut heard = Vec::new();
    let mut discover = discover.into_iter();
    while let Some(text) = peer.0.next().await {
        let message: Value = serde_json::from_slice(&text).expect("the client sends JSON");
        let method = message["method"].as_str().unwrap_or_default().to_owned();
        let does = match method.as_str() {
            PROBE => discover.next().unwrap_or(Silence),
            OPEN => initialize.clone(),
            _ => Silence,
        };
        heard.push(method);
        match does {
            Silence => {}
            Answer(result) => peer.result(&message, result).await,
            Refuse(code, data) => peer.error(&message, code, data).await,
            Nameless(code) => peer.error(&json!({ "id": null }), code, Value::Null).await,
            Noise(code) => {
                peer.0.send("Welcome to my server!").await;
                peer.0.send("[]").await;
                peer.error(&message, code, Value::Null).await;
            }
        }
    }
    heard
}

#[tokio::test(start_paused = true)]
async fn table() {
    for case in cases() {
        let (target, peer) = Peer::pair();
        let server = tokio::spawn(serve(peer, case.discover, case.initialize));
        let connected = Client::builder().negotiation(case.client).connect(target).await;
        match (&connected, case.outcome) {
            (Ok(client), Ok(version)) => assert_eq!(client.version(), Some(version), "{}", case.name),
            (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{}: {error}", case.name),
            (got, expected) => panic!("{}: {got:?} in place of {expected:?}", case.name),
        }
        drop(connected);
        assert_eq!(server.await.expect("the server does not panic"), case.heard, "{}", case.name);
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_server_says_of_itself() {
    let (target, mut peer) = Peer::pair();
    let server = tokio::spawn(async move {
        peer.open_modern().await;
        peer
    });
    let client = Client::connect(target).await.expect("it opens");
    let _peer = server.await.expect("it opens");
    assert_eq!(client.server_info().map(|info| info.name), Some("modern".to_owned()));
    assert_eq!(client.instructions(), Some("be kind".to_owned()));
    assert!(client.capabilities().is_some_and(|c| c.tools.is_some() && c.prompts.is_none()));
}

/// A slow server answers the probe only after the client began to fall back, and then `initialize`: what it
/// answers decides, and not when.
#[tokio::test(start_paused = true)]
async fn a_late_answer_to_the_probe_decides_like_one_in_time() {
    let modern = || Answer(discovered(&["2026-07-28"]));
    let old = || Answer(initialized("2025-11-25"));
    let cases = [
        ("modern alone", modern(), Refuse(-32601, Value::Null), V2026_07_28),
        ("both", modern(), old(), V2026_07_28),
        ("legacy", Refuse(-32601, Value::Null), old(), V2025_11_25),
        ("legacy, answers anything", Answer(json!({})), old(), V2025_11_25),
        ("lists legacy revisions", Answer(discovered(&["2025-11-25"])), old(), V2025_11_25),
    ];
    for (name, discover, initialize, expected) in cases {
        let (target, mut peer) = Peer::pair();
        let server = tokio::spawn(async move {
            let probe = peer.expect(PROBE).await;
            let open = peer.expect(OPEN).await;
            for (request, does) in [(probe, discover), (open, initialize)] {
                match does {
                    Answer(result) => peer.result(&request, result).await,
                    Refuse(code, data) => peer.error(&request, code, data).await,
                    Silence | Nameless(_) | Noise(_) => {}
                }
            }
            peer
        });
        let client = Client::connect(target).await.expect("it opens");
        assert_eq!(client.version(), Some(expected), "{name}");
        drop(server);
    }
}

/// Some old servers leave when they hear anything before `initialize`.
#[tokio::test(start_paused = true)]
async fn a_server_that_leaves_when_probed_is_opened_again() {
    let (target, mut peers) = Peer::series(2);
    let mut second = peers.pop().expect("two");
    let mut first = peers.pop().expect("two");
    let server = tokio::spawn(async move {
        first.expect(PROBE).await;
        drop(first);
        second.initialize("2025-06-18").await;
        second
    });
    let client = Client::connect(target).await.expect("it opens");
    assert_eq!(client.version(), Some(V2025_06_18));
    drop(server);
}

#[cfg(unix)]
#[tokio::test(start_paused = true)]
async fn what_was_agreed_on_is_remembered_and_doubted_when_it_fails() {
    // A URL is what a server is remembered by; nothing listens there, so only the memory is looked at.
    let memory = EraMemory::new();
    memory.remember("a", V2025_11_25);
    memory.remember("a", V2026_07_28);
    memory.remember("b", V2024_11_05);
    assert_eq!(memory.get("a"), Some(V2026_07_28));
    assert_eq!(memory.entries().len(), 2);
    memory.forget("a");
    assert_eq!(memory.get("a"), None);
    (0..EraMemory::CAPACITY + 10).for_each(|n| memory.remember(&n.to_string(), V2026_07_28));
    assert_eq!(memory.entries().len(), EraMemory::CAPACITY);
    let restored = EraMemory::new();
    memory.entries().into_iter().for_each(|known| restored.restore(known));
    assert_eq!(restored.entries(), memory.entries());
}

/// After a loss the client goes straight to what worked before, and to the other era where it no longer does.
#[tokio::test(start_paused = true)]
async fn a_server_that_changes_its_era_is_found_again() {
    let (target, peers) = Peer::series(3);
    let server = tokio::spawn(async move {
        let mut peers = peers.into_iter();
        let mut first = peers.next().expect("three");
        first.open_legacy().await;
        drop(first);
        let mut second = peers.next().expect("three");
        let open = second.expect(OPEN).await;
        second.error(&open, -32602, Value::Null).await;
        second.open_modern().await;
        drop(second);
        let mut third = peers.next().expect("three");
        third.open_modern().await;
        third
    });
    let client = Client::builder().jitter(|| 0.0).connect(target).await.expect("it opens");
    let _third = server.await.expect("it opens three times");
    tokio::time::timeout(Duration::from_secs(60), async {
        while client.version() != Some(V2026_07_28) {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("it speaks the new era");
}
