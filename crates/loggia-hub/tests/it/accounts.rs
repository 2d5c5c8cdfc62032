//! A connector with several accounts: one connection for each, and an argument of its tools that names the account.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use loggia::client::ClientBuilder;
use loggia::service::BoxFuture;
use loggia::wire::Version;
use loggia::{Error, Service};
use loggia_hub::{AccountClients, Connector, Opened};
use serde_json::{Value, json};

use crate::fixture::{Upstream, client, hub, pairs, text};

/// Returns a connector whose accounts `work` (default) and `home` have upstreams of their own. The second cannot sign in
/// while `is_dead`.
fn connector(
    work: &Arc<Upstream>,
    home: &Arc<Upstream>,
    is_dead: &Arc<AtomicBool>,
    era: Version,
) -> Connector {
    let (work, home, is_dead) = (work.clone(), home.clone(), is_dead.clone());
    let source = move |builder: ClientBuilder| -> BoxFuture<'static, loggia::Result<Opened>> {
        let builder = builder.version(era);
        let (work, home, is_dead) = (work.clone(), home.clone(), is_dead.clone());
        Box::pin(async move {
            let default = builder.clone().connect(work as Arc<dyn Service>).await?;
            let clients = AccountClients::new("work", default).account("home", move || {
                let (builder, home) = (builder.clone(), home.clone());
                let is_dead = is_dead.load(Ordering::SeqCst);
                Box::pin(async move {
                    match is_dead {
                        true => Err(Error::Unauthorized("sign in again with `it`".to_owned())),
                        false => builder.connect(home as Arc<dyn Service>).await,
                    }
                })
            });
            Ok(Opened::Accounts(clients))
        })
    };
    Connector::new("up", source).accounts(vec!["work".to_owned(), "home".to_owned()])
}

#[tokio::test]
async fn a_call_goes_to_the_account_that_it_names() {
    for (down, era) in pairs() {
        let (work, home, is_dead) = (Upstream::new(), Upstream::new(), Arc::new(AtomicBool::new(true)));
        let client = client(&hub(vec![connector(&work, &home, &is_dead, era)]).await, down).await;
        let tools = client.list_all_tools().await.expect("tools");
        for tool in &tools {
            let schema: Value = serde_json::from_str(tool.input_schema.as_str()).expect("a schema");
            assert_eq!(
                schema["properties"]["account"],
                json!({
                    "type": ["string", "null"], "description": "The account to use: work (default), home",
                    "enum": ["work", "home", null], "default": "work",
                }),
                "{down} {era} {}",
                tool.name
            );
        }
        // Each case: whether the second account can sign in, the account, the text of the result, and the calls of each
        // account after it.
        for (can_sign_in, account, expected, calls) in [
            (false, Value::Null, "hi", (1, 0)),
            (false, json!("work"), "hi", (2, 0)),
            (
                false,
                json!("home"),
                "The account \"home\" of \"up\" cannot be used: sign in again with `it`.",
                (2, 0),
            ),
            (true, json!("home"), "hi", (2, 1)),
            (false, json!("home"), "hi", (2, 2)),
            (true, json!("other"), "There is no such account. The accounts are: work, home.", (2, 2)),
            (true, json!(7), "There is no such account. The accounts are: work, home.", (2, 2)),
        ] {
            is_dead.store(!can_sign_in, Ordering::SeqCst);
            let arguments = json!({ "text": "hi", "account": account });
            let result = client.call_tool("up_echo", arguments).await.expect("a result");
            assert_eq!(text(&result), expected, "{down} {era} {account}");
            let seen = (work.calls.load(Ordering::SeqCst), home.calls.load(Ordering::SeqCst));
            assert_eq!(seen, calls, "{down} {era} {account}");
        }
        let result = client.call_tool("up_echo", json!({ "text": "hi" })).await.expect("a result");
        assert_eq!((text(&result), work.calls.load(Ordering::SeqCst)), ("hi", 3), "{down} {era}");
    }
}
