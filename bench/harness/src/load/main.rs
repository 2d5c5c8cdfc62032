//! Starts a server, loads it and prints the cost for the server, as one line of JSON. The program gets `--listen
//! ADDR` for HTTP, and `--stdio` for stdio. Every answer is checked.

mod add;
mod exchange;
mod http;
mod memory;
mod options;
mod sample;
mod start;
mod stdio;

use std::io::Write;

use bench_harness::Failure;

const USAGE: &str = "\
usage: bench-load WHAT [OPTIONS] -- PROGRAM [ARGUMENTS]

  http      calls over HTTP/1.1: --connections N, --seconds S or --calls N, --era modern|legacy,
            --kind echo|progress|list, --bytes N, --save FILE (one answer)
  stdio     calls over standard streams: --in-flight N, and the same but --save
  start     from starting the program to its first answer: --transport http|stdio, --times N
  add       from adding a server to the first call, in an empty home folder: --times N; PROGRAM is several
            commands, with --then between them, and {text} in the last one
  idle      memory, and what each further idle connection adds: --connections N
  listen    memory of open subscriptions/listen streams, and how fast a change reaches all: --connections N

  --tool NAME  what the tool is called; --path PATH: the endpoint, instead of /mcp
  --pin CORE   runs the program on that core
  --end        ends the program with SIGTERM and waits for it
";

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let options = options::Options::parse(&arguments).ok_or(USAGE)?;
    let sample = match options.what.as_str() {
        "http" => http::run(&options).await?,
        "stdio" => stdio::run(&options).await?,
        "start" => start::run(&options).await?,
        "add" => add::run(&options).await?,
        "idle" => memory::idle(&options).await?,
        "listen" => memory::listen(&options).await?,
        _ => return Err(USAGE.into()),
    };
    writeln!(std::io::stdout(), "{}", sample.to_json())?;
    Ok(())
}
