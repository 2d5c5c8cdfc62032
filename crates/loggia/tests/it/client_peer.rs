//! A server made of a script: what it hears is looked at, what it says is written down.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use loggia::client::{ConnectionHalves, Target};
use loggia::error::{Error, Result};
use loggia::service::BoxFuture;
use loggia::transport::framing::{BadFrame, Frame, ReadFrames};
use loggia::transport::memory::{self, MemoryReader, MemoryTransport};
use loggia::wire::jsonrpc::PartialEnvelope;
use serde_json::{Value, json};
use tokio::time::{Duration, Instant};

/// Lets time pass, on a clock that the test has stopped.
pub async fn pass(time: Duration) {
    tokio::time::sleep_until(Instant::now() + time).await;
}

/// One end of a connection, seen as a server.
pub struct Peer(pub MemoryTransport);

impl Peer {
    /// A target for a client, and the server it will find there.
    pub fn pair() -> (MemoryTransport, Peer) {
        let (client, server) = memory::pair();
        (client, Peer(server))
    }

    /// A target whose client skips messages longer than `most` bytes, and the server it will find there.
    pub fn bounded(most: usize) -> (Target, Peer) {
        let (client, peer) = Peer::pair();
        let (reader, writer) = client.split();
        let halves: ConnectionHalves = (Box::new(BoundedReader { reader, most }), Box::new(writer));
        let halves = Mutex::new(Some(halves));
        let target = Target::custom(move || {
            let next = halves.lock().expect("nobody panics with it").take();
            async move { next.ok_or_else(|| Error::Connection("nobody listens".to_owned())) }
        });
        (target, peer)
    }

    /// A target that can be connected to once for each peer, in their order.
    pub fn series(count: usize) -> (Target, Vec<Peer>) {
        let (ends, peers): (VecDeque<MemoryTransport>, Vec<Peer>) = (0..count).map(|_| Peer::pair()).unzip();
        let ends = Arc::new(Mutex::new(ends));
        let target = Target::custom(move || {
            let next = ends.lock().expect("nobody panics with it").pop_front();
            async move { halves(next) }
        });
        (target, peers)
    }

    /// The next message.
    pub async fn hear(&mut self) -> Value {
        let text = self.0.next().await.expect("the client is there");
        serde_json::from_slice(&text).expect("the client sends JSON")
    }

    /// The next message, which must be this request or notification; notifications of the opening and
    /// cancellations are not skipped.
    pub async fn expect(&mut self, method: &str) -> Value {
        let message = self.hear().await;
        assert_eq!(message["method"], method, "{message}");
        message
    }

    pub async fn say(&mut self, message: Value) {
        self.0.send(Bytes::from(message.to_string())).await;
    }

    pub async fn result(&mut self, request: &Value, result: Value) {
        self.say(json!({ "jsonrpc": "2.0", "id": request["id"], "result": result })).await;
    }

    pub async fn error(&mut self, request: &Value, code: i64, data: Value) {
        let error = json!({ "code": code, "message": "no", "data": data });
        self.say(json!({ "jsonrpc": "2.0", "id": request["id"], "error": error })).await;
    }

    pub async fn notify(&mut self, method: &str, params: Value) {
        self.say(json!({ "jsonrpc": "2.0", "method": method, "params": params })).await;
    }

    /// Answers the opening as a server of the modern era.
    pub async fn open_modern(&mut self) {
        let request = self.expect("server/discover").await;
        self.result(&request, discovered(&["2026-07-28"])).await;
    }

    /// Answers the opening as a server of the legacy era that does not know the probe.
    pub async fn open_legacy(&mut self) {
        let request = self.expect("server/discover").await;
        self.error(&request, -32601, Value::Null).await;
        self.initialize("2025-11-25").await;
    }

    pub async fn initialize(&mut self, version: &str) {
        let request = self.expect("initialize").await;
        self.result(&request, initialized(version)).await;
        self.expect("notifications/initialized").await;
    }
}

/// Reads messages and skips the long ones, as a reader of lines does.
struct BoundedReader {
    reader: MemoryReader,
    most: usize,
}

impl BoundedReader {
    fn bound(&self, frame: Frame) -> Frame {
        frame.and_then(|text| {
            let envelope = PartialEnvelope::read(&text, &text);
            if text.len() > self.most {
                Err(BadFrame::TooLong { most: self.most, envelope })
            } else {
                Ok(text)
            }
        })
    }
}

impl ReadFrames for BoundedReader {
    fn next(&mut self) -> BoxFuture<'_, io::Result<Option<Frame>>> {
        Box::pin(async { Ok(self.reader.next().await?.map(|frame| self.bound(frame))) })
    }

    fn ready(&mut self) -> Option<Frame> {
        self.reader.ready().map(|frame| self.bound(frame))
    }
}

fn halves(end: Option<MemoryTransport>) -> Result<ConnectionHalves> {
    let end = end.ok_or_else(|| Error::Connection("nobody listens".to_owned()))?;
    let (reader, writer) = end.split();
    Ok((Box::new(reader), Box::new(writer)))
}

pub fn discovered(versions: &[&str]) -> Value {
    json!({
        "resultType": "complete",
        "supportedVersions": versions,
        "capabilities": { "tools": { "listChanged": true }, "resources": { "subscribe": true, "listChanged": true } },
        "instructions": "be kind",
        "ttlMs": 0, "cacheScope": "private",
        "_meta": { "io.modelcontextprotocol/serverInfo": { "name": "modern", "version": "1" } },
    })
}

pub fn initialized(version: &str) -> Value {
    json!({
        "protocolVersion": version,
        "capabilities": { "tools": { "listChanged": true }, "resources": { "subscribe": true }, "logging": {} },
        "serverInfo": { "name": "old", "version": "1" },
    })
}
