//! Calls over standard streams. After each read, as many lines are written at once as answers were read, so a server
//! that answers several calls together gets several together.

use std::process::Stdio;
use std::time::{Duration, Instant};

use bench_harness::Failure;
use bench_harness::message::{Era, INITIALIZED, Question, contains, initialize};
use bench_harness::process::{self, command, pid};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdin, ChildStdout};

use crate::options::{Length, Options};
use crate::sample::{Meter, Sample};

/// The two streams of a program.
pub(crate) struct Pipe {
    input: ChildStdin,
    output: ChildStdout,
    buffer: Vec<u8>,
    filled: usize,
    next: u64,
}

pub(crate) async fn run(options: &Options) -> Result<Sample, Failure> {
    let question = options.question()?;
    let (child, mut pipe) = start(options)?;
    pipe.open(question.era).await?;
    let (length, in_flight) = (options.length()?, options.number("--in-flight", 1)?);
    pipe.ask_many(&question, in_flight, length.warm_up()).await?;
    let meter = Meter::start(pid(&child)?)?;
    let latencies = pipe.ask_many(&question, in_flight, length).await?;
    let sample = meter.read(latencies)?;
    if options.ends() {
        process::end(child).await?;
    }
    Ok(sample)
}

/// Starts the program on standard streams.
pub(crate) fn start(options: &Options) -> Result<(Child, Pipe), Failure> {
    let mut command = command(&options.program, options.pin());
    let mut child = command.arg("--stdio").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let input = child.stdin.take().ok_or("no stdin")?;
    let output = child.stdout.take().ok_or("no stdout")?;
    Ok((child, Pipe { input, output, buffer: vec![0; 1 << 17], filled: 0, next: 0 }))
}

impl Pipe {
    /// Opens a session if the revision has sessions.
    pub(crate) async fn open(&mut self, era: Era) -> Result<(), Failure> {
        if era == Era::Modern {
            return Ok(());
        }
        self.input.write_all(format!("{}\n", initialize()).as_bytes()).await?;
        while !self.buffer[..self.filled].contains(&b'\n') {
            self.fill().await?;
        }
        self.filled = 0;
        self.input.write_all(format!("{INITIALIZED}\n").as_bytes()).await?;
        Ok(())
    }

    /// Keeps `in_flight` calls open until the length is reached, and waits for the last answer.
    pub(crate) async fn ask_many(
        &mut self,
        question: &Question,
        in_flight: usize,
        length: Length,
    ) -> Result<Vec<Duration>, Failure> {
        let (begun, first) = (Instant::now(), self.next);
        let mut sent_at: Vec<Instant> = Vec::new();
        let mut answered = Vec::new();
        let mut room = in_flight;
        loop {
            let is_over = match length {
                Length::Time(time) => begun.elapsed() > time,
                Length::Calls(calls) => sent_at.len() as u64 >= calls,
            };
            if !is_over {
                self.write(question, room).await?;
                sent_at.resize(sent_at.len() + room, Instant::now());
            } else if answered.len() == sent_at.len() {
                return Ok(answered);
            }
            room = self.read(question, first, &sent_at, &mut answered).await?;
        }
    }

    async fn write(&mut self, question: &Question, count: usize) -> Result<(), Failure> {
        let mut lines = String::new();
        for id in self.next..self.next + count as u64 {
            lines.push_str(&question.body(id));
            lines.push('\n');
        }
        self.next += count as u64;
        self.input.write_all(lines.as_bytes()).await?;
        Ok(())
    }

    /// Reads the available answers, at least one, and returns their number.
    async fn read(
        &mut self,
        question: &Question,
        first: u64,
        sent_at: &[Instant],
        answered: &mut Vec<Duration>,
    ) -> Result<usize, Failure> {
        let before = answered.len();
        while answered.len() == before {
            self.fill().await?;
            let now = Instant::now();
            let mut taken = 0;
            while let Some(length) = self.buffer[taken..self.filled].iter().position(|byte| *byte == b'\n') {
                let line = &self.buffer[taken..taken + length];
                taken += length + 1;
                if contains(&line[..line.len().min(80)], b"\"method\":\"notifications/") {
                    continue;
                }
                let id = id_of(line)?;
                question.check(id, line)?;
                let at = id.checked_sub(first).and_then(|at| sent_at.get(at as usize));
                answered.push(now - *at.ok_or("an answer to no question")?);
            }
            self.buffer.copy_within(taken..self.filled, 0);
            self.filled -= taken;
        }
        Ok(answered.len() - before)
    }

    async fn fill(&mut self) -> Result<(), Failure> {
        if self.filled == self.buffer.len() {
            self.buffer.resize(self.buffer.len() * 2, 0);
        }
        match self.output.read(&mut self.buffer[self.filled..]).await? {
            0 => Err("the server closed its output".into()),
            count => {
                self.filled += count;
                Ok(())
            }
        }
    }
}

/// Returns the id of an answer, because answers may have any order.
fn id_of(line: &[u8]) -> Result<u64, Failure> {
    #[derive(serde::Deserialize)]
    struct Id {
        id: u64,
    }
    let parsed = serde_json::from_slice::<Id>(line);
    parsed.map(|answer| answer.id).map_err(|_| String::from_utf8_lossy(line).into_owned().into())
}
