//! The floors: the lowest cost of a server for the same bytes. They read the request, parse it with serde_json and
//! write an answer with the same members, without validation and routing.

mod answer;
mod client;
mod proxy;
mod server;

use std::io::{self, BufRead, Write};

use bench_harness::Failure;

const USAGE: &str = "\
usage: bench-floor --listen ADDR                 a bare hyper handler
       bench-floor --canned FILE --listen ADDR   one that parses the request and sends the bytes of FILE
       bench-floor --stdio                       a loop on standard streams
       bench-floor --proxy URL --listen ADDR     a reverse proxy
       bench-floor --client URL CONCURRENCY SECONDS";

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--listen", address] => server::http(address, None)?,
        ["--canned", file, "--listen", address] => server::http(address, Some(std::fs::read(file)?))?,
        ["--stdio"] => stdio()?,
        ["--proxy", upstream, "--listen", address] => proxy::run(upstream, address)?,
        ["--client", ..] => client::run(&arguments[1..])?,
        _ => return Err(USAGE.into()),
    }
    Ok(())
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
