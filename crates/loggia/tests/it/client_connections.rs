//! The number of connections that a client opens over HTTP, and a request whose connection is closed.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use futures_util::future::join_all;
use loggia::client::Client;
use loggia::error::Error;
#[cfg(feature = "tls")]
use loggia::limits::Limits;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Barrier, mpsc};

use crate::client_http_peer::{Heard, read};
use crate::client_peer::discovered;
#[cfg(feature = "tls")]
use crate::http_server::fixture::Server;

/// The end of the body of an answer.
#[derive(Debug, Clone, Copy)]
enum Form {
    Length,
    Chunks,
    Close,
}

/// The use of the connection after the answer.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Then {
    Keep,
    SayClose,
    Close,
}

/// A server that counts connections and requests, and answers a `tools/call` of `hang` never, of `die` by
/// closing the connection, of `meet` when as many calls have come as meet.
#[derive(Clone)]
struct Peer {
    form: Form,
    then: Then,
    opened: Arc<AtomicUsize>,
    calls: Arc<AtomicUsize>,
    meeting: Arc<Barrier>,
    closed: mpsc::UnboundedSender<()>,
}

const MEET: usize = 8;

impl Peer {
    async fn start(form: Form, then: Then) -> (Peer, Client, mpsc::UnboundedReceiver<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
        let url = format!("http://{}/mcp", listener.local_addr().expect("bound"));
        let (closed, hears) = mpsc::unbounded_channel();
        let meeting = Arc::new(Barrier::new(MEET));
        let peer = Peer { form, then, opened: Arc::default(), calls: Arc::default(), meeting, closed };
        let served = peer.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                served.opened.fetch_add(1, SeqCst);
                let served = served.clone();
                tokio::spawn(async move {
                    served.serve(stream).await;
                    let _ = served.closed.send(());
                });
            }
        });
        let client = Client::connect(url.as_str()).await.expect("it connects");
        (peer, client, hears)
    }

    async fn serve(&self, mut stream: TcpStream) {
        let (reader, mut writer) = stream.split();
        let mut reader = BufReader::new(reader);
        while let Some(heard) = read(&mut reader).await {
            let Some(answer) = self.answer(&heard, &mut reader).await else { return };
            let close = if self.then == Then::SayClose { "connection: close\r\n" } else { "" };
            let head = format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n{close}");
            let text = match self.form {
                Form::Length => format!("{head}content-length: {}\r\n\r\n{answer}", answer.len()),
                Form::Close => format!("{head}\r\n{answer}"),
                Form::Chunks => {
                    let (first, rest) = answer.split_at(answer.len() / 2);
                    format!(
                        "{head}transfer-encoding: chunked\r\n\r\n{:x}\r\n{first}\r\n{:x}\r\n{rest}\r\n0\r\n\r\n",
                        first.len(),
                        rest.len()
                    )
                }
            };
            let written = writer.write_all(text.as_bytes()).await;
            if written.is_err() || self.then != Then::Keep || matches!(self.form, Form::Close) {
                return;
            }
        }
    }

    /// `None` where the connection is closed instead.
    async fn answer(&self, heard: &Heard, connection: &mut (impl AsyncReadExt + Unpin)) -> Option<String> {
        let result = match heard.method().as_str() {
            "server/discover" => discovered(&["2026-07-28"]),
            _ => {
                self.calls.fetch_add(1, SeqCst);
                json!({ "resultType": "complete", "content": [{ "type": "text", "text": "hi" }] })
            }
        };
        match heard.body["params"]["name"].as_str() {
            Some("die") => return None,
            // Until the client has closed the connection.
            Some("hang") => {
                let _ = connection.read(&mut [0; 1]).await;
                return None;
            }
            Some("meet") => _ = self.meeting.wait().await,
            _ => {}
        }
        Some(json!({ "jsonrpc": "2.0", "id": heard.body["id"], "result": result }).to_string())
    }

    fn counts(&self) -> (usize, usize) {
        (self.opened.load(SeqCst), self.calls.load(SeqCst))
    }
}

/// Returns when the runtime has seen what happened to its sockets before.
async fn settle() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let address = listener.local_addr().expect("bound");
    let (mut ours, theirs) =
        (TcpStream::connect(address).await.expect("it listens"), listener.accept().await);
    drop(theirs);
    assert_eq!(ours.read(&mut [0; 1]).await.ok(), Some(0));
}

async fn call(client: &Client, tool: &str) -> Result<String, Error> {
    let result = client.call(tool).send().await?;
    Ok(result.content.first().and_then(|content| content.as_text()).unwrap_or_default().to_owned())
}

#[tokio::test]
async fn a_connection_is_used_again_where_the_server_keeps_it() {
    // One connection for everything, or one for each of the four requests.
    let cases = [
        (Form::Length, Then::Keep, 1),
        (Form::Chunks, Then::Keep, 1),
        (Form::Close, Then::Keep, 4),
        (Form::Length, Then::SayClose, 4),
        (Form::Chunks, Then::SayClose, 4),
        (Form::Length, Then::Close, 4),
    ];
    for (form, then, connections) in cases {
        let (peer, client, mut closed) = Peer::start(form, then).await;
        for _ in 0..3 {
            if connections > 1 {
                closed.recv().await.expect("the server closes the connection");
            }
            settle().await;
            assert_eq!(call(&client, "echo").await.expect("an answer"), "hi", "{form:?}, {then:?}");
        }
        assert_eq!(peer.counts(), (connections, 3), "{form:?}, {then:?}");
    }
}

#[tokio::test]
async fn calls_at_once_have_a_connection_each_and_leave_it_to_others() {
    let (peer, client, _closed) = Peer::start(Form::Length, Then::Keep).await;
    for round in 1..=2 {
        let calls = join_all((0..MEET).map(|_| call(&client, "meet"))).await;
        assert!(calls.iter().all(|said| said.as_deref().ok() == Some("hi")), "{calls:?}");
        assert_eq!(peer.counts(), (MEET, round * MEET));
    }
}

#[tokio::test]
async fn a_connection_that_nobody_uses_is_closed() {
    let (peer, client, mut closed) = Peer::start(Form::Length, Then::Keep).await;
    assert_eq!(call(&client, "echo").await.expect("an answer"), "hi");
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(61)).await;
    closed.recv().await.expect("the client closes the connection");
    tokio::time::resume();
    assert_eq!(call(&client, "echo").await.expect("an answer"), "hi");
    assert_eq!(peer.counts(), (2, 2));
}

#[tokio::test]
async fn a_call_that_may_have_been_made_is_not_made_again() {
    let (peer, client, mut closed) = Peer::start(Form::Length, Then::Keep).await;
    let error = call(&client, "die").await.expect_err("no answer");
    assert!(matches!(error, Error::Connection(_)), "{error:?}");
    closed.recv().await.expect("the server closes the connection");
    assert_eq!(peer.counts(), (1, 1));
    assert_eq!(call(&client, "echo").await.expect("an answer"), "hi");
    assert_eq!(peer.counts(), (2, 2));
}

#[tokio::test]
async fn dropping_a_call_closes_its_connection() {
    let (peer, client, mut closed) = Peer::start(Form::Length, Then::Keep).await;
    let mut hanging = Box::pin(call(&client, "hang"));
    while peer.counts().1 == 0 {
        tokio::select! {
            answered = &mut hanging => panic!("{answered:?}"),
            () = settle() => {}
        }
    }
    drop(hanging);
    closed.recv().await.expect("the client closes the connection");
    assert_eq!(call(&client, "echo").await.expect("an answer"), "hi");
    assert_eq!(peer.counts(), (2, 2));
}

#[cfg(feature = "tls")]
#[tokio::test]
async fn over_http2_all_calls_share_a_connection() {
    let pair = (include_bytes!("data/localhost.pem"), include_bytes!("data/localhost.key"));
    let server =
        Server::with(Limits::default(), |http| http.tls(pair.0, pair.1).expect("a usable pair")).await;
    let (address, opened) = (server.address, Arc::new(AtomicUsize::new(0)));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let url = format!("https://localhost:{}/mcp", listener.local_addr().expect("bound").port());
    let counted = opened.clone();
    tokio::spawn(async move {
        while let Ok((mut near, _)) = listener.accept().await {
            counted.fetch_add(1, SeqCst);
            tokio::spawn(async move {
                let mut far = TcpStream::connect(address).await.expect("the server listens");
                let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
            });
        }
    });
    let client = Client::builder().root_certificates(include_bytes!("data/authority.pem"));
    let client = client.connect(url.as_str()).await.expect("it connects");
    let say = |n: usize| client.call("echo").args(json!({ "text": n.to_string() })).send();
    for (n, answer) in join_all((0..MEET).map(say)).await.into_iter().enumerate() {
        let answer = answer.expect("an answer");
        assert_eq!(answer.content[0].as_text(), Some(n.to_string().as_str()));
    }
    assert_eq!(opened.load(SeqCst), 1);
    server.stop().await;
}

#[tokio::test]
async fn nobody_listens() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let address = listener.local_addr().expect("bound");
    drop(listener);
    let error =
        Client::connect(format!("http://{address}/mcp?key=secret").as_str()).await.expect_err("refused");
    let said = error.to_string();
    assert!(said.contains(&format!("cannot connect to {address}: ")), "{said}");
    assert!(said.contains("refused") && !said.contains("secret"), "{said}");
}
