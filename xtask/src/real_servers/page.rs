//! A web server on the loopback address, for servers that fetch a page or call the API of a vendor.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};

const PAGE: &str = "A page with \"quotes\", a \\ and a \t, é, ☃ and 𝄞.\nIts second line.\n";
const ABSENT: &str = r#"{"object":"error","status":404,"code":"object_not_found","message":"no \u0022object\u0022","ratio":1.0}"#;

/// Serves until this program ends, and returns the address.
pub(super) fn serve() -> Result<SocketAddr, String> {
    let bind = || -> std::io::Result<(TcpListener, SocketAddr)> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        Ok((listener, address))
    };
    let (listener, address) = bind().map_err(|e| format!("cannot serve a page: {e}"))?;
    std::thread::spawn(move || {
        for stream in listener.incoming().filter_map(Result::ok) {
            std::thread::spawn(move || answer(stream));
        }
    });
    Ok(address)
}

fn answer(mut stream: TcpStream) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let request = lines.next().transpose()?.unwrap_or_default();
    for line in lines {
        if line?.is_empty() {
            break;
        }
    }
    let (status, kind, body) = match request.split(' ').nth(1) {
        Some("/page.txt") => ("200 OK", "text/plain; charset=utf-8", PAGE),
        _ => ("404 Not Found", "application/json", ABSENT),
    };
    let length = body.len();
    let head = format!("HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {length}");
    // The response is one write, because some clients lose a part of a status line that arrives in pieces.
    stream.write_all(format!("{head}\r\nconnection: close\r\n\r\n{body}").as_bytes())
}
