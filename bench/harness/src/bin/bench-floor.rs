//! The least a server can do for the same bytes: read the request, parse it with serde_json, write an answer
//! of the same shape. No validation, no routing. `--listen ADDR` is a bare hyper handler; `--stdio` a loop.

use std::borrow::Cow;
use std::convert::Infallible;
use std::io::{self, BufRead, Write};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use tokio::net::TcpListener;

#[derive(Deserialize)]
struct Call<'a> {
    id: u64,
    #[serde(borrow)]
    params: Params<'a>,
}

#[derive(Deserialize)]
struct Params<'a> {
    #[serde(borrow)]
    arguments: Arguments<'a>,
}

#[derive(Deserialize)]
struct Arguments<'a> {
    #[serde(borrow)]
    text: Cow<'a, str>,
}

fn answer(body: &[u8]) -> serde_json::Result<Vec<u8>> {
    let call: Call<'_> = serde_json::from_slice(body)?;
    let mut out = Vec::with_capacity(256);
    out.extend_from_slice(br#"{"jsonrpc":"2.0","id":"#);
    serde_json::to_writer(&mut out, &call.id)?;
    out.extend_from_slice(br#","result":{"resultType":"complete","content":[{"type":"text","text":"#);
    serde_json::to_writer(&mut out, &call.params.arguments.text)?;
    out.extend_from_slice(
        br#"}],"_meta":{"io.modelcontextprotocol/serverInfo":{"name":"bench-floor","version":"0.1.0"}}}}"#,
    );
    Ok(out)
}

async fn handle(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let answered = match request.into_body().collect().await {
        Ok(body) => answer(&body.to_bytes()).unwrap_or_default(),
        Err(_) => Vec::new(),
    };
    let mut response = Response::new(Full::new(answered.into()));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}

#[tokio::main]
async fn http(address: &str) -> io::Result<()> {
    let listener = TcpListener::bind(address).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let connection = hyper::server::conn::http1::Builder::new()
            .serve_connection(TokioIo::new(stream), service_fn(handle));
        tokio::spawn(connection);
    }
}

fn stdio() -> io::Result<()> {
    let mut input = io::stdin().lock();
    let mut output = io::stdout().lock();
    let mut line = Vec::new();
    while input.read_until(b'\n', &mut line)? > 0 {
        let mut out = answer(&line)?;
        out.push(b'\n');
        output.write_all(&out)?;
        output.flush()?;
        line.clear();
    }
    Ok(())
}

fn main() -> io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--listen", address] => http(address),
        ["--stdio"] => stdio(),
        _ => Err(io::Error::other("usage: bench-floor --listen ADDR | --stdio")),
    }
}
