//! Connectors to which everybody signs in for themselves, behind one `loggia up --auth`.
#![cfg(unix)]

use std::path::Path;
use std::sync::mpsc;

use loggia::client::{Client, ClientBuilder};
use loggia::model::{CallToolResult, ElicitAction, ElicitResult};
use serde_json::json;
use tokio::runtime::Runtime;

use crate::forwarded::Tap;
use crate::program::{run_in, settings};
use crate::protected::{self, Browser, Ended, field};
use crate::server;
use crate::up::{Up, up, up_at};

/// A hub with one connector, and what its people use.
struct Office {
    folder: tempfile::TempDir,
    up: Option<Up>,
    url: String,
    base: String,
    runtime: Runtime,
}

impl Office {
    fn open(connector: &str) -> Office {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("loggia.toml"), connector).expect("written");
        let up = up(folder.path(), &["--auth"]);
        let (url, base) = (up.url.clone(), up.base());
        Office { folder, up: Some(up), url, base, runtime: Runtime::new().expect("a runtime") }
    }

    fn restart(&mut self) {
        self.up.take().expect("it runs").stop();
        let address = self.base.trim_start_matches("http://");
        self.up = Some(up_at(self.folder.path(), address, &["--auth"]));
    }

    /// The browser of the one who sees the terminal.
    fn browser(&mut self) -> Browser<'_> {
        let up = self.up.as_mut().expect("it runs");
        Browser::new(&self.base, || up.link())
    }

    fn key(&self, owner: &str) -> String {
        key(self.folder.path(), owner)
    }

    fn call(&self, builder: ClientBuilder, key: &str, tool: &str) -> String {
        self.runtime.block_on(call(builder, &self.url, key, tool))
    }
}

fn key(folder: &Path, owner: &str) -> String {
    run_in(folder, &["auth", "keys", "create", "--owner", owner]).stdout.trim().to_owned()
}

async fn call(builder: ClientBuilder, url: &str, key: &str, tool: &str) -> String {
    let value = format!("Bearer {key}").parse().expect("a header");
    let client = builder.header(http::header::AUTHORIZATION, value).connect(url).await.expect("it connects");
    let arguments = if tool.ends_with("echo") { json!({ "text": "hi" }) } else { json!({}) };
    let result = client.call_tool(tool, arguments).await.expect("a result");
    text(&result)
}

fn text(result: &CallToolResult) -> String {
    result.content.first().and_then(|block| block.as_text()).unwrap_or_default().to_owned()
}

/// A client whose person agrees to open what they are asked to, and the pages that are.
fn agreeing() -> (ClientBuilder, mpsc::Receiver<String>) {
    let (asked, opens) = mpsc::channel();
    let builder = Client::builder().on_elicit_url(move |params| {
        asked.send(params.url).expect("somebody opens it");
        async { Ok(ElicitResult::without_content(ElicitAction::Accept)) }
    });
    (builder, opens)
}

/// The link in what somebody is told.
fn link(said: &str) -> String {
    let word =
        said.split_whitespace().find(|word| word.starts_with("http")).unwrap_or_else(|| panic!("{said}"));
    word.to_owned()
}

/// Goes from a link to where the vendor has people sign in.
fn go(browser: &mut Browser<'_>, link: &str) -> Ended {
    let page = browser.see(link);
    let action = link.split('?').next().expect("a path");
    browser.open(action, Some(&[("invitation", field(&page, "invitation"))]))
}

#[test]
fn a_person_is_asked_to_sign_in_and_the_call_goes_on() {
    let vendor = protected::start();
    let mut office = Office::open(&format!(
        "[connectors.safe]\nkind = \"remote\"\nurl = \"{}\"\ncredentials = \"person\"\n",
        vendor.url
    ));
    let (ada, bob) = (office.key("ada"), office.key("bob"));
    let (builder, opens) = agreeing();
    let (url, caller) = (office.url.clone(), ada.clone());
    let calling = office.runtime.spawn(async move { call(builder, &url, &caller, "safe_whoami").await });
    let link = opens.recv().expect("the client is asked");
    assert!(
        link.starts_with(&format!("{}/connect/safe?invitation=", office.base)) && !link.contains("ada"),
        "{link}"
    );
    let mut browser = office.browser();
    let page = browser.see(&link);
    settings().bind(|| insta::assert_snapshot!("persons_page", body(&page)));
    let Ended::Away(sign_in) = go(&mut browser, &link) else { panic!("it leads to the vendor") };
    let answer = vendor.browser().allow(&sign_in);
    assert!(answer.starts_with(&format!("{}/connect/safe/callback?", browser.issuer())), "{answer}");
    let done = browser.see(&answer);
    settings().bind(|| insta::assert_snapshot!("persons_done", body(&done)));
    assert!(browser.see(&answer).contains("This sign-in is not yours"), "an answer counts once");
    assert!(browser.see(&link).contains("This link does not count"), "a link counts once");
    drop(browser);
    assert_eq!(office.runtime.block_on(calling).expect("no panic"), "me: mcp");

    // From now on nobody is asked, also after a restart; and others have nothing of it.
    assert_eq!(office.call(Client::builder(), &ada, "safe_whoami"), "me: mcp");
    let said = office.call(Client::builder(), &bob, "safe_whoami");
    assert!(said.starts_with("You have to sign in to \"safe\" first: open http"), "{said}");
    office.restart();
    assert_eq!(office.call(Client::builder(), &ada, "safe_whoami"), "me: mcp");
    assert_eq!(office.call(Client::builder(), &ada, "safe_sign_in"), "You are signed in to \"safe\".");
    // Whoever runs the hub sees who has signed in, and can end it.
    let here = |args: &[&str]| {
        let run = run_in(office.folder.path(), args);
        let mut settings = settings();
        settings.add_filter(r"\d+ (s|min) ago", "TIME ago");
        settings
            .bind(|| insta::assert_snapshot!(format!("persons_{}", args[2..].join("_")), run.to_string()));
    };
    here(&["auth", "people", "list"]);
    here(&["auth", "people", "forget", "bob"]);
    here(&["auth", "people", "forget", "ada", "safe"]);
    here(&["auth", "people", "forget", "ada"]);
    let said = office.call(Client::builder(), &ada, "safe_whoami");
    assert!(said.starts_with("You have to sign in to \"safe\" first: open http"), "{said}");
}

/// A person who leaves: one command ends their sign-in at the hub, their API keys and what vendors gave them.
#[test]
fn one_command_ends_everything_of_a_person() {
    let vendor = protected::start();
    let mut office = Office::open(&format!(
        "[connectors.safe]\nkind = \"remote\"\nurl = \"{}\"\ncredentials = \"person\"\n",
        vendor.url
    ));
    let ada = office.key("ada");
    let link = link(&office.call(Client::builder(), &ada, "safe_sign_in"));
    let mut browser = office.browser();
    let Ended::Away(sign_in) = go(&mut browser, &link) else { panic!("it leads to the vendor") };
    let answer = vendor.browser().allow(&sign_in);
    assert!(browser.see(&answer).contains("You are signed in"));
    drop(browser);
    assert_eq!(office.call(Client::builder(), &ada, "safe_whoami"), "me: mcp");

    let here = |args: &[&str]| run_in(office.folder.path(), args);
    let removed = here(&["auth", "people", "remove", "ada", "-o", "json"]);
    assert_eq!(removed.code, Some(0), "{removed}");
    let removed: serde_json::Value = serde_json::from_str(&removed.stdout).expect("JSON");
    assert_eq!((&removed["owner"], &removed["keysRevoked"]), (&json!("ada"), &json!(1)), "{removed}");
    assert!(removed["signedOut"].as_u64().is_some_and(|ended| ended >= 1), "{removed}");
    assert_eq!(removed["forgotten"][0]["connector"], "safe", "{removed}");
    let left = here(&["auth", "people", "list", "-o", "json"]);
    assert_eq!(left.stdout, "{\"hub\":[],\"people\":[]}\n");
    let keys = here(&["auth", "keys", "list", "-o", "json"]);
    assert!(!keys.stdout.contains("\"revokedAt\":null"), "{keys}");
    let again = here(&["auth", "people", "remove", "ada"]);
    assert!(again.code == Some(2) && again.stderr.contains("there is no sign-in"), "{again}");
    drop(vendor);
}

#[test]
fn what_the_vendor_takes_back_is_asked_for_again() {
    let vendor = protected::start();
    let mut office = Office::open(&format!(
        "[connectors.safe]\nkind = \"remote\"\nurl = \"{}\"\ncredentials = \"person\"\n",
        vendor.url
    ));
    let ada = office.key("ada");
    let link = link(&office.call(Client::builder(), &ada, "safe_sign_in"));
    let mut browser = office.browser();
    let Ended::Away(sign_in) = go(&mut browser, &link) else { panic!("it leads to the vendor") };
    let answer = vendor.browser().allow(&sign_in);
    assert!(browser.see(&answer).contains("You are signed in"));
    drop(browser);
    assert_eq!(office.call(Client::builder(), &ada, "safe_whoami"), "me: mcp");
    vendor.forget();
    let said = office.call(Client::builder(), &ada, "safe_whoami");
    assert!(said.starts_with("You have to sign in to \"safe\" first: open http"), "{said}");
}

#[test]
fn a_link_of_one_is_of_no_use_to_another() {
    let vendor = protected::start();
    let mut office = Office::open(&format!(
        "[connectors.safe]\nkind = \"remote\"\nurl = \"{}\"\ncredentials = \"person\"\n",
        vendor.url
    ));
    let (ada, eve) = (office.key("ada"), office.key("eve"));
    let of_eve = link(&office.call(Client::builder(), &eve, "safe_whoami"));
    let of_ada = link(&office.call(Client::builder(), &ada, "safe_whoami"));
    let base = office.base.clone();
    // Eve sends her link to Ada, who would sign in for her.
    let mut browser = office.browser();
    let page = browser.see(&of_eve);
    assert!(page.contains("This link does not count") && page.contains("signed in here as ada"), "{page}");
    let form = [("invitation", of_eve.split('=').nth(1).expect("a code").to_owned())];
    let Ended::Page(page) = browser.open(&format!("{base}/connect/safe"), Some(&form)) else {
        panic!("it leads away")
    };
    assert!(page.contains("This link does not count"), "{page}");
    // What Ada began is ended by nobody else.
    let Ended::Away(sign_in) = go(&mut browser, &of_ada) else { panic!("it leads to the vendor") };
    let answer = vendor.browser().allow(&sign_in);
    assert!(
        protected::get(&answer).contains("This sign-in is not yours"),
        "in a browser that nobody signed in in"
    );
    assert!(browser.see(&answer).contains("You are signed in"));
    drop(browser);
    assert_eq!(office.call(Client::builder(), &ada, "safe_whoami"), "me: mcp");
    assert!(office.call(Client::builder(), &eve, "safe_whoami").contains("You have to sign in"));
}

#[test]
fn an_api_key_is_entered_on_a_page() {
    let kitchen = server::start();
    let tap = Tap::before(&kitchen.url);
    let mut office = Office::open(&format!(
        "[connectors.kitchen]\nkind = \"remote\"\nurl = \"{}\"\ncredentials = \"person\"\napi_key = \"X-Kitchen: key {{key}}\"\n",
        tap.url
    ));
    let ada = office.key("ada");
    let link = link(&office.call(Client::builder(), &ada, "kitchen_echo"));
    let action = link.split('?').next().expect("a path").to_owned();
    let mut browser = office.browser();
    let page = browser.see(&link);
    settings().bind(|| insta::assert_snapshot!("persons_key", body(&page)));
    let mut enter = |key: &str| {
        let form = [("invitation", field(&page, "invitation")), ("key", key.to_owned())];
        match browser.open(&action, Some(&form)) {
            Ended::Page(page) => page,
            Ended::Away(address) => panic!("it leads to {address}"),
        }
    };
    assert!(enter("").contains("This is no API key"));
    assert!(enter(" s3cr3t-key ").contains("You are signed in"));
    assert!(enter("another").contains("This link does not count"));
    drop(browser);
    assert_eq!(office.call(Client::builder(), &ada, "kitchen_echo"), "hi");
    // The hub runs on, and hears of it a little later.
    let forgotten = run_in(office.folder.path(), &["auth", "people", "forget", "ada", "kitchen"]);
    assert_eq!(forgotten.code, Some(0), "{forgotten}");
    let begun = std::time::Instant::now();
    while !office.call(Client::builder(), &ada, "kitchen_echo").contains("You have to sign in") {
        assert!(begun.elapsed() < std::time::Duration::from_secs(60), "a key that was taken back is shown");
    }
    let asked = tap.asked();
    assert!(asked.contains("x-kitchen: key s3cr3t-key") && !asked.contains("another"), "{asked}");
    assert!(!asked.contains("lgk_") && !asked.to_lowercase().contains("authorization"), "{asked}");
}

#[test]
fn who_is_allowed_too_little_is_asked_for_more() {
    let vendor = protected::start();
    let mut office = Office::open(&format!(
        "[connectors.safe]\nkind = \"remote\"\nurl = \"{}\"\ncredentials = \"person\"\n",
        vendor.url
    ));
    let ada = office.key("ada");
    let (url, runtime) = (office.url.clone(), Runtime::new().expect("a runtime"));
    let (mut browser, mut at_vendor) = (office.browser(), vendor.browser());
    for (tool, scopes, said) in
        [("safe_whoami", "mcp", "me: mcp"), ("safe_write", "mcp mcp:write", "written")]
    {
        let (builder, opens) = agreeing();
        let (at, key) = (url.clone(), ada.clone());
        let calling = runtime.spawn(async move { call(builder, &at, &key, tool).await });
        let link = opens.recv().expect("the client is asked");
        let Ended::Away(sign_in) = go(&mut browser, &link) else { panic!("it leads to the vendor") };
        let sign_in_url: url::Url = sign_in.parse().expect("a URL");
        let (_, asked) = sign_in_url.query_pairs().find(|(name, _)| name == "scope").expect("scopes");
        assert_eq!(asked.replace(" offline_access", ""), scopes, "{tool}");
        assert!(browser.see(&at_vendor.allow(&sign_in)).contains("You are signed in"), "{tool}");
        let came_of_it = runtime.block_on(calling).expect("no panic");
        assert_eq!(came_of_it.replace(" offline_access", ""), said, "{tool}");
        assert!(opens.try_recv().is_err(), "nobody is asked twice");
    }
    let now = runtime.block_on(call(Client::builder(), &url, &ada, "safe_whoami"));
    assert_eq!(now.replace(" offline_access", ""), "me: mcp mcp:write");
}

#[test]
fn vendors_are_told_what_loggia_is() {
    let vendor = protected::start();
    let mut office = Office::open(&format!(
        "[connectors.safe]\nkind = \"remote\"\nurl = \"{0}\"\ncredentials = \"person\"\nclient_id = \"by-hand\"\n\
         [connectors.other]\nkind = \"remote\"\nurl = \"{0}\"\ncredentials = \"person\"\n",
        vendor.url
    ));
    let base = office.base.clone();
    let document: serde_json::Value =
        serde_json::from_str(&protected::get(&format!("{base}/connect/client.json"))).expect("JSON");
    assert_eq!(document["client_id"], format!("{base}/connect/client.json"));
    let callbacks = ["other", "safe"].map(|name| format!("{base}/connect/{name}/callback"));
    assert_eq!(document["redirect_uris"], json!(callbacks));
    // A client that was registered by hand is the one that is named.
    let ada = office.key("ada");
    let link = link(&office.call(Client::builder(), &ada, "safe_whoami"));
    let mut browser = office.browser();
    let Ended::Away(sign_in) = go(&mut browser, &link) else { panic!("it leads to the vendor") };
    assert!(sign_in.contains("client_id=by-hand&"), "{sign_in}");
}

#[test]
fn where_nobody_signs_in_one_credential_is_for_all() {
    let kitchen = server::start();
    let folder = tempfile::tempdir().expect("a folder");
    let config = format!(
        "[connectors.kitchen]\nkind = \"remote\"\nurl = \"{}\"\ncredentials = \"person\"\n",
        kitchen.url
    );
    std::fs::write(folder.path().join("loggia.toml"), config).expect("written");
    let up = up(folder.path(), &[]);
    let call = run_in(folder.path(), &["call", &up.url, "kitchen_echo", "text=hi"]);
    assert_eq!(call.stdout, "hi\n", "{call}");
    assert!(up.stop().stdout.contains("✓ kitchen"));
}

/// What of a page is not the same on all of them.
fn body(page: &str) -> String {
    let body = page.split("<body>").nth(1).unwrap_or(page).replace("</body></html>", "");
    let code = page.split("name=\"invitation\" value=\"").nth(1).and_then(|rest| rest.split('"').next());
    code.map_or(body.clone(), |code| body.replace(code, "CODE")).replace("><", ">\n<")
}
