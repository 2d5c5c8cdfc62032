//! Our client, driven through a plan of the interoperability tests. The configuration and the lines printed are
//! those of `interop/clients/plan.mjs`, which does the same with other clients.

#![allow(clippy::print_stdout, reason = "the harness reads one line for each operation")]

mod config;
mod operations;

use std::sync::Arc;

use loggia::client::{Child, Client, Negotiation};
use loggia::model::{CreateMessageResult, ElicitResult, Implementation, Root};
use loggia::wire::Version;
use serde_json::{Value, json};
use std::time::Duration;

use config::{Config, Target};
use operations::{Answers, Driver, Outcome};

const LIMIT: Duration = Duration::from_secs(20);

#[tokio::main]
async fn main() -> Outcome<()> {
    let config: Config =
        serde_json::from_str(&std::env::args().nth(1).ok_or("usage: interop-client CONFIGURATION")?)?;
    let answers = Arc::new(Answers::default());
    let connected = tokio::time::timeout(LIMIT, connect(&config, &answers)).await;
    let client = match connected.unwrap_or_else(|_| Err("no end in sight".into())) {
        Ok(client) => client,
        Err(error) => {
            report("connect", Err(error));
            return Ok(());
        }
    };
    let revision = client.version().map(|version| version.to_string());
    report("connect", revision.ok_or_else(|| "there is no revision".into()));
    let driver = Driver { client, plan: config.plan, answers };
    for op in config.ops {
        let done = tokio::time::timeout(LIMIT, driver.run(&op)).await;
        report(&op, done.unwrap_or_else(|_| Err("no end in sight".into())));
    }
    driver.client.close().await;
    report("close", Ok(String::new()));
    Ok(())
}

async fn connect(config: &Config, answers: &Arc<Answers>) -> Outcome<Client> {
    let (elicit, sample) = (answers.clone(), answers.clone());
    let builder = Client::builder()
        .identity(Implementation::new("interop-client", env!("CARGO_PKG_VERSION")))
        .negotiation(match config.era.as_str() {
            "modern" => Negotiation::Fixed(Version::LATEST),
            "legacy" => Negotiation::Legacy,
            _ => Negotiation::Auto,
        })
        .on_elicit(move |_| {
            let answer: ElicitResult = elicit.elicit();
            async move { Ok(answer) }
        })
        .on_sample(move |_| {
            let answer: CreateMessageResult = sample.sample();
            async move { Ok(answer) }
        })
        .roots([] as [Root; 0]);
    match &config.target {
        Target { url: Some(url), .. } => Ok(builder.connect(url).await?),
        Target { command: Some(command), .. } => {
            let (program, arguments) = command.split_first().ok_or("the command is empty")?;
            Ok(builder.connect(Child::new(program).args(arguments)).await?)
        }
        _ => Err("the target has neither url nor command".into()),
    }
}

fn report(op: &str, done: Outcome<String>) {
    let line: Value = match done {
        Ok(detail) => json!({ "op": op, "ok": true, "detail": detail }),
        Err(error) => json!({ "op": op, "ok": false, "detail": error.to_string() }),
    };
    println!("{line}");
}
