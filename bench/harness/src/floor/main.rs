//! The least a server can do for the same bytes: read the request, parse it with serde_json, write an answer
//! of the same shape. No validation, no routing.

mod answer;
mod server;

use std::io::{self, BufRead, Write};

const USAGE: &str = "\
usage: bench-floor --listen ADDR                 a bare hyper handler
       bench-floor --canned FILE --listen ADDR   one that parses the request and sends the bytes of FILE
       bench-floor --stdio                       a loop on standard streams";

fn main() -> io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--listen", address] => server::http(address, None),
        ["--canned", file, "--listen", address] => server::http(address, Some(std::fs::read(file)?)),
        ["--stdio"] => stdio(),
        _ => Err(io::Error::other(USAGE)),
    }
}

fn stdio() -> io::Result<()> {
    let mut input = io::stdin().lock();
    let mut output = io::stdout().lock();
    let mut line = Vec::new();
    while input.read_until(b'\n', &mut line)? > 0 {
        let mut out = answer::modern(&answer::parse(&line)?)?;
        out.push(b'\n');
        output.write_all(&out)?;
        output.flush()?;
        line.clear();
    }
    Ok(())
}
