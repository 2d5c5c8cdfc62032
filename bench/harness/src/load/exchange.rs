//! One keep-alive connection, with HTTP written by hand: a general HTTP client costs more than the measured servers,
//! and would dominate the measurement.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bench_harness::Failure;
use bench_harness::message::{Era, INITIALIZED, LEGACY, MODERN, Question, contains, initialize};
use tokio::net::TcpStream;

/// The time for a program to listen.
const START: Duration = Duration::from_secs(60);

pub(crate) struct Connection {
    stream: TcpStream,
    host: SocketAddr,
    path: String,
    session: Option<String>,
    request: Vec<u8>,
    buffer: Vec<u8>,
    filled: usize,
}

/// The positions of the parts of an answer.
struct Head {
    status: u16,
    body: usize,
    framing: Framing,
}

#[derive(Clone, Copy)]
enum Framing {
    Length(usize),
    Chunked,
}

/// Connects when the program listens.
pub(crate) async fn connect(address: SocketAddr, path: &str, pause: Duration) -> Result<Connection, Failure> {
    let deadline = Instant::now() + START;
    let stream = loop {
        match TcpStream::connect(address).await {
            Ok(stream) => break stream,
            Err(error) if Instant::now() > deadline => return Err(error.into()),
            Err(_) => tokio::time::sleep(pause).await,
        }
    };
    stream.set_nodelay(true)?;
    let buffer = vec![0; 4096];
    let (request, path) = (Vec::new(), path.to_owned());
    Ok(Connection { stream, host: address, path, session: None, request, buffer, filled: 0 })
}

impl Connection {
    /// Opens a session if the revision has sessions.
    pub(crate) async fn open(&mut self, era: Era) -> Result<(), Failure> {
        if era == Era::Modern {
            return Ok(());
        }
        self.write_request("", &initialize());
        let head = self.exchange().await?;
        self.session = header(&self.buffer[..head.body], "mcp-session-id").map(str::to_owned);
        let headers = self.legacy_headers();
        self.write_request(&headers, INITIALIZED);
        self.exchange().await.map(drop)
    }

    /// Sends one request, and checks the answer.
    pub(crate) async fn ask(&mut self, question: &Question, id: u64) -> Result<(), Failure> {
        let headers = match question.era {
            Era::Modern => modern_headers(question.method(), question.tool()),
            Era::Legacy => self.legacy_headers(),
        };
        self.write_request(&headers, &question.body(id));
        let head = self.exchange().await?;
        let body = &self.buffer[head.body..self.filled];
        match head.framing {
            Framing::Length(_) => question.check(id, body),
            Framing::Chunked => question.check(id, &join_chunks(body)?),
        }
    }

    /// Returns the body of the last answer.
    pub(crate) fn last_body(&self) -> Result<Vec<u8>, Failure> {
        let head = parse_head(&self.buffer[..self.filled])?.ok_or("no answer yet")?;
        let body = &self.buffer[head.body..self.filled];
        match head.framing {
            Framing::Length(_) => Ok(body.to_vec()),
            Framing::Chunked => join_chunks(body),
        }
    }

    /// Sends `body` with the headers of the modern revision. Does not read the answer.
    pub(crate) async fn send(&mut self, method: &str, body: &str) -> Result<(), Failure> {
        self.write_request(&modern_headers(method, None), body);
        self.flush().await
    }

    /// Reads until `needle` has arrived, and drops the bytes up to its end.
    pub(crate) async fn read_until(&mut self, needle: &[u8]) -> Result<(), Failure> {
        while !contains(&self.buffer[..self.filled], needle) {
            self.fill().await?;
        }
        self.filled = 0;
        Ok(())
    }

    /// Frees the buffers, so that thousands of waiting connections need little memory.
    pub(crate) fn rest(&mut self) {
        self.request = Vec::new();
        self.buffer = vec![0; 512];
        self.filled = 0;
    }

    fn legacy_headers(&self) -> String {
        let session = self.session.as_ref().map(|session| format!("mcp-session-id: {session}\r\n"));
        format!("mcp-protocol-version: {LEGACY}\r\n{}", session.unwrap_or_default())
    }

    fn write_request(&mut self, headers: &str, body: &str) {
        let head = format!(
            "POST {} HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\n\
             accept: application/json, text/event-stream\r\n{headers}content-length: {}\r\n\r\n",
            self.path,
            self.host,
            body.len()
        );
        self.request.clear();
        self.request.extend_from_slice(head.as_bytes());
        self.request.extend_from_slice(body.as_bytes());
    }

    async fn exchange(&mut self) -> Result<Head, Failure> {
        self.flush().await?;
        self.filled = 0;
        let head = loop {
            self.fill().await?;
            if let Some(head) = parse_head(&self.buffer[..self.filled])? {
                break head;
            }
        };
        loop {
            let body = &self.buffer[head.body..self.filled];
            let whole = match head.framing {
                Framing::Length(length) => body.len() >= length,
                Framing::Chunked => body.ends_with(b"0\r\n\r\n"),
            };
            if whole {
                break;
            }
            self.fill().await?;
        }
        if (200..300).contains(&head.status) {
            return Ok(head);
        }
        let body = String::from_utf8_lossy(&self.buffer[head.body..self.filled]);
        Err(format!("status {}: {body}", head.status).into())
    }

    async fn flush(&mut self) -> Result<(), Failure> {
        let mut sent = 0;
        while sent < self.request.len() {
            match self.stream.try_write(&self.request[sent..]) {
                Ok(count) => sent += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.stream.writable().await?,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    async fn fill(&mut self) -> Result<(), Failure> {
        if self.filled == self.buffer.len() {
            self.buffer.resize(self.buffer.len() * 2, 0);
        }
        loop {
            self.stream.readable().await?;
            match self.stream.try_read(&mut self.buffer[self.filled..]) {
                Ok(0) => return Err("the server closed the connection".into()),
                Ok(count) => {
                    self.filled += count;
                    return Ok(());
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

fn modern_headers(method: &str, tool: Option<&str>) -> String {
    let name = tool.map(|tool| format!("mcp-name: {tool}\r\n")).unwrap_or_default();
    format!("mcp-protocol-version: {MODERN}\r\nmcp-method: {method}\r\n{name}")
}

fn parse_head(bytes: &[u8]) -> Result<Option<Head>, Failure> {
    let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else { return Ok(None) };
    let head = &bytes[..end + 4];
    let status = std::str::from_utf8(head.get(9..12).ok_or("no status line")?)?.parse()?;
    let framing = match header(head, "content-length") {
        Some(length) => Framing::Length(length.parse()?),
        None if header(head, "transfer-encoding").is_some() => Framing::Chunked,
        None => Framing::Length(0),
    };
    Ok(Some(Head { status, body: end + 4, framing }))
}

fn header<'a>(head: &'a [u8], name: &str) -> Option<&'a str> {
    let lines = std::str::from_utf8(head).ok()?.split("\r\n");
    let mut named = lines.filter_map(|line| line.split_once(':'));
    named.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
}

fn join_chunks(mut chunks: &[u8]) -> Result<Vec<u8>, Failure> {
    let mut body = Vec::with_capacity(chunks.len());
    loop {
        let line =
            chunks.windows(2).position(|window| window == b"\r\n").ok_or("a chunk without a length")?;
        let length = std::str::from_utf8(&chunks[..line])?.split(';').next().unwrap_or_default();
        let length = usize::from_str_radix(length.trim(), 16)?;
        if length == 0 {
            return Ok(body);
        }
        let data = chunks.get(line + 2..line + 2 + length).ok_or("a chunk cut short")?;
        body.extend_from_slice(data);
        chunks = chunks.get(line + 2 + length + 2..).ok_or("a chunk without an end")?;
    }
}
