//! A gateway inside a program of its own: it serves the current folder, read-only, as the tools of one connector, and a
//! client lists them.

use std::error::Error;
use std::io::Write;
use std::path::Path;

use loggia::client::Client;
use loggia_gateway::{Gateway, GatewayConfig, Redactor};

const CONFIG: &str = r#"
[connectors.notes]
kind = "builtin"
name = "files"
"#;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let config = GatewayConfig::parse(CONFIG, Path::new("embedded.toml"), &Redactor::default())?;
    let server = Gateway::builder(config).build().await?.serve("127.0.0.1:0").await?;

    let client = Client::builder().connect(server.url()).await?;
    for tool in client.list_all_tools().await? {
        writeln!(std::io::stdout(), "{}", tool.name)?;
    }
    client.close().await;

    server.stop().await?;
    Ok(())
}
