//! An HTTP server made of a script, written on the socket: what it says is exactly what the test says.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use loggia::service::BoxFuture;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

/// One request.
#[derive(Debug, Clone)]
pub struct Heard {
    pub http: String,
    pub path: String,
    pub headers: BTreeMap<String, String>,
    pub body: Value,
}

impl Heard {
    /// The JSON-RPC method, or the HTTP one of a request without a body.
    pub fn method(&self) -> String {
        self.body["method"].as_str().unwrap_or(&self.http).to_owned()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    pub fn result(&self, result: Value) -> Reply {
        Reply::json(200, json!({ "jsonrpc": "2.0", "id": self.body["id"], "result": result }))
    }

    pub fn error(&self, status: u16, code: i64, data: Value) -> Reply {
        let error = json!({ "code": code, "message": "no", "data": data });
        Reply::json(status, json!({ "jsonrpc": "2.0", "id": self.body["id"], "error": error }))
    }
}

/// One response.
pub struct Reply {
    status: u16,
    headers: Vec<(String, String)>,
    body: Body,
}

enum Body {
    Whole(String),
    Stream(mpsc::Receiver<String>),
}

impl Reply {
    pub fn json(status: u16, body: Value) -> Reply {
        Reply::text(status, body.to_string()).with("content-type", "application/json")
    }

    pub fn text(status: u16, body: impl Into<String>) -> Reply {
        Reply { status, headers: Vec::new(), body: Body::Whole(body.into()) }
    }

    /// An event stream: what is sent into the channel is written, its end ends the response.
    pub fn stream() -> (mpsc::Sender<String>, Reply) {
        let (sender, receiver) = mpsc::channel(16);
        let reply = Reply { status: 200, headers: Vec::new(), body: Body::Stream(receiver) };
        (sender, reply.with("content-type", "text/event-stream"))
    }

    /// An event stream of these pieces, then its end.
    pub async fn pieces(pieces: impl IntoIterator<Item = String>) -> Reply {
        let (sender, reply) = Reply::stream();
        for piece in pieces {
            sender.send(piece).await.expect("there is room");
        }
        reply
    }

    pub fn with(mut self, name: &str, value: &str) -> Reply {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }
}

/// One event.
pub fn event(id: Option<&str>, data: &Value) -> String {
    let id = id.map(|id| format!("id: {id}\n")).unwrap_or_default();
    format!("{id}data: {data}\n\n")
}

/// The running server.
#[derive(Clone)]
pub struct HttpPeer {
    pub url: String,
    heard: Arc<Mutex<Vec<Heard>>>,
}

impl HttpPeer {
    /// Serves with `respond` until the runtime ends.
    pub async fn start<F>(respond: F) -> HttpPeer
    where
        F: Fn(Heard) -> BoxFuture<'static, Reply> + Send + Sync + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
        let url = format!("http://{}/mcp", listener.local_addr().expect("bound"));
        let peer = HttpPeer { url, heard: Arc::default() };
        let (respond, heard) = (Arc::new(respond), peer.heard.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (respond, heard) = (respond.clone(), heard.clone());
                tokio::spawn(async move { serve(stream, &*respond, &heard).await });
            }
        });
        peer
    }

    /// Everything heard so far.
    pub fn heard(&self) -> Vec<Heard> {
        self.heard.lock().expect("not poisoned").clone()
    }

    /// The methods heard so far.
    pub fn methods(&self) -> Vec<String> {
        self.heard().iter().map(Heard::method).collect()
    }

    /// The first request with this method.
    pub fn first(&self, method: &str) -> Heard {
        self.heard().into_iter().find(|heard| heard.method() == method).expect("it was heard")
    }
}

async fn serve<F>(stream: TcpStream, respond: &F, heard: &Mutex<Vec<Heard>>)
where
    F: Fn(Heard) -> BoxFuture<'static, Reply>,
{
    let (reader, mut writer) = stream.into_split();
    let mut reader = BufReader::new(reader);
    let Some(request) = read(&mut reader).await else { return };
    heard.lock().expect("not poisoned").push(request.clone());
    let reply = respond(request).await;
    let mut head = format!("HTTP/1.1 {} X\r\nconnection: close\r\n", reply.status);
    for (name, value) in &reply.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    match reply.body {
        Body::Whole(text) => {
            let text = format!("{head}content-length: {}\r\n\r\n{text}", text.len());
            let _ = writer.write_all(text.as_bytes()).await;
        }
        Body::Stream(mut pieces) => {
            if writer.write_all(format!("{head}\r\n").as_bytes()).await.is_err() {
                return;
            }
            let mut rest = [0; 1];
            loop {
                tokio::select! {
                    piece = pieces.recv() => match piece {
                        Some(piece) if writer.write_all(piece.as_bytes()).await.is_ok() => {}
                        _ => return,
                    },
                    // The client went away: the sender of the pieces finds out.
                    _ = reader.read(&mut rest) => return,
                }
            }
        }
    }
}

pub async fn read(reader: &mut (impl AsyncBufReadExt + Unpin)) -> Option<Heard> {
    let mut line = String::new();
    reader.read_line(&mut line).await.ok().filter(|read| *read > 0)?;
    let mut words = line.split(' ');
    let (http, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).await.ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body).await.ok()?;
    Some(Heard { http, path, headers, body: serde_json::from_slice(&body).unwrap_or(Value::Null) })
}
