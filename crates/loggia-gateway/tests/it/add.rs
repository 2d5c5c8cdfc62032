//! A connector is added: from a word to a stored definition, with the proof in between.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use axum::Json;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::get;
use loggia_connect::manifest::ManifestDirectory;
use loggia_gateway::add::{AddAnswers, AddError, AddPlace, AddPlan, AddSource};
use loggia_gateway::{ConnectorContext, Credentials, Redactor};
use serde_json::json;

/// A folder with the files of one user, and an API that takes the key `good`.
struct World {
    folder: tempfile::TempDir,
    api: SocketAddr,
}

async fn me(headers: HeaderMap) -> (StatusCode, Json<serde_json::Value>) {
    match headers.get("authorization").and_then(|value| value.to_str().ok()) {
        Some("Bearer key-good") => (StatusCode::OK, Json(json!({ "name": "Ada", "pages": 3 }))),
        _ => (StatusCode::UNAUTHORIZED, Json(json!({ "message": "no such key" }))),
    }
}

impl World {
    async fn new() -> World {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let api = listener.local_addr().expect("it is bound");
        let routes = axum::Router::new().route("/v1/me", get(me)).route("/v1/pages", get(me));
        tokio::spawn(async move { axum::serve(listener, routes).await });
        World { folder: tempfile::tempdir().expect("a folder"), api }
    }

    fn credentials(&self) -> Credentials {
        let folder = self.folder.path().join("credentials");
        Credentials::new(Some(folder), Vec::new(), Redactor::default())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) -> String {
        std::fs::write(self.path(name), text).expect("written");
        self.path(name).display().to_string()
    }

    fn manifest(&self) -> String {
        let text = format!(
            r#"
            name = "acme"
            title = "Acme"
            version = "1.0.0"
            description = "Pages of an Acme workspace."
            [config.site]
            type = "string"
            title = "Site"
            required = true
            pattern = "^[a-z]+$"
            [[backends]]
            name = "remote"
            kind = "remote"
            url = "https://mcp.acme.example/mcp"
            unusable_when = "Acme admits listed clients only."
            auth = {{ class = "allowlist" }}
            [[backends]]
            name = "api"
            kind = "openapi"
            base_url = "http://{}/v1"
            [backends.auth]
            class = "api_key"
            credential = {{ title = "Secret key", description = "starts with key-", pattern = "^key-" }}
            steps = [{{ text = "Create a key.", link = "https://acme.example/keys" }}]
            [backends.network]
            allow = ["127.0.0.1"]
            [backends.health]
            tool = "whoami"
            account = ".name"
            [[backends.tools]]
            name = "whoami"
            title = "Who am I"
            description = "Returns the user."
            class = "read"
            request = "GET /me"
            [[backends.tools]]
            name = "pages"
            description = "Lists the pages."
            class = "read"
            request = "GET /pages"
            [backends.tools.input.query]
            type = "string"
            description = "The words"
            required = true
            [[backends.tools]]
            name = "drop_page"
            description = "Deletes a page."
            class = "destructive"
            request = "DELETE /pages/1"
            "#,
            self.api
        );
        self.write("acme.toml", &text)
    }

    async fn plan(&self, word: &str) -> Result<AddPlan, AddError> {
        let source = AddSource::parse(word, &ManifestDirectory::embedded(), &self.credentials()).await?;
        AddPlan::new(source, None, None)
    }

    fn place(&self) -> AddPlace {
        AddPlace::of(None, &self.credentials()).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Returns the definitions that are stored.
    async fn stored(&self) -> Vec<String> {
        let listed = self.place().database().list().await.unwrap_or_else(|error| panic!("{error}"));
        listed.into_iter().map(|added| added.definition).collect()
    }

    async fn finish(
        &self,
        word: &str,
        answers: AddAnswers,
    ) -> Result<loggia_gateway::add::AddedReport, AddError> {
        let context = ConnectorContext::new(self.credentials());
        self.plan(word).await?.finish(answers, &self.place(), &context, None).await
    }
}

fn answers(site: &str, credential: &str) -> AddAnswers {
    AddAnswers {
        config: [("site".to_owned(), json!(site))].into_iter().collect(),
        credential: Some(credential.parse().expect("a credential")),
        ..AddAnswers::default()
    }
}

#[tokio::test]
async fn a_plan_says_what_the_connector_can_do_and_needs() {
    let world = World::new().await;
    let plan = world.plan(&world.manifest()).await.expect("a plan");
    let text = plan.to_string();
    for line in [
        "  connector     Acme (acme)",
        "  by            openapi, because the first, remote, may not be open to you: Acme admits listed clients only",
        "  or by         remote: --backend remote",
        "  reads         whoami, pages",
        "  switched off  drop_page",
        "  reaches       127.0.0.1",
        "  needs         Secret key",
    ] {
        assert!(text.contains(line), "{line:?} is not in\n{text}");
    }
    assert!(plan.list_tokens.is_some_and(|tokens| (20..400).contains(&tokens)), "{:?}", plan.list_tokens);
    let missing: Vec<String> = plan.missing(&AddAnswers::default()).iter().map(ToString::to_string).collect();
    assert_eq!(
        missing,
        [
            "--set site=VALUE: Site",
            "--credential VALUE|-|env:NAME: Secret key (starts with key-)\n  1. Create a key. https://acme.example/keys",
        ]
    );
    assert!(plan.read_value("site", "UPPER").is_err_and(|problem| problem.message.contains("must match")));
    assert_eq!(plan.read_value("site", "env:SITE"), Ok(json!("${SITE}")));
    assert!(plan.read_value("sight", "x").is_err_and(|problem| problem.message.contains("there are: site")));
}

#[tokio::test]
async fn a_connector_is_proved_then_stored_with_its_account() {
    let world = World::new().await;
    let word = world.manifest();
    let report = world.finish(&word, answers("docs", "key-good")).await.expect("it is added");
    assert_eq!((report.account.as_deref(), report.is_checked), (Some("Ada"), true));
    assert_eq!((report.tools.len(), report.first_call.as_deref()), (2, Some("whoami")));
    let expected = format!(
        "[connectors.acme]\nkind = \"manifest\"\nmanifest = \"{word}\"\nbackend = \"api\"\nconfig = {{ site = \"docs\" }}\n"
    );
    assert_eq!(world.stored().await, [expected]);
    let credential = world.credentials().account_credential("acme", None).await.expect("read");
    assert_eq!(credential.expect("it is saved").expose(), "key-good");

    let again = world.finish(&word, answers("docs", "key-good")).await.expect_err("the name is taken");
    assert_eq!(again.to_string(), "there is a connector \"acme\" already, in the added connectors");
    assert_eq!(again.next_step().as_deref(), Some("--name acme-2 gives this one another name"));
}

/// Each case: answers, and a part of the error.
#[tokio::test]
async fn a_connector_that_does_not_work_leaves_nothing() {
    let world = World::new().await;
    let word = world.manifest();
    for (answers, expected) in [
        (answers("docs", "key-bad"), "it does not work, so it was not added: "),
        (answers("docs", "other"), "this does not look like Secret key: starts with key-"),
        (answers("UPPER", "key-good"), "site: it must match ^[a-z]+$"),
        (
            answers("docs", "env:LOGGIA_TEST_NOT_SET"),
            "the environment variable LOGGIA_TEST_NOT_SET is not set",
        ),
        (
            AddAnswers { account: Some("a/b".to_owned()), ..answers("docs", "key-good") },
            "cannot name an account",
        ),
        (AddAnswers::default(), "more is needed:\n--set site=VALUE: Site"),
    ] {
        let error = world.finish(&word, answers).await.expect_err(expected).to_string();
        assert!(error.contains(expected) && !error.contains("key-bad"), "{expected}: {error}");
        assert!(world.stored().await.is_empty(), "{expected}");
        assert!(world.credentials().accounts(None).await.expect("read").is_empty(), "{expected}");
    }
    // The user may want it all the same.
    let unchecked = AddAnswers { is_checked: false, ..answers("docs", "key-bad") };
    let report = world.finish(&word, unchecked).await.expect("it is added");
    assert_eq!((report.account.as_deref(), report.is_checked), (Some("default"), false));
}

/// A text stands for itself in the definition, and a variable stays a variable.
#[tokio::test]
async fn values_are_written_as_the_configuration_reads_them() {
    let world = World::new().await;
    let word = world.write(
        "acme.toml",
        &std::fs::read_to_string(world.manifest()).expect("read").replace("^[a-z]+$", ".*"),
    );
    for (site, written) in [("a${b}c", "a$${b}c"), ("${b", "$${b"), ("plain", "plain")] {
        let answers = AddAnswers { is_checked: false, ..answers(site, "key-good") };
        world.finish(&word, answers).await.expect(site);
        let stored = world.stored().await;
        assert!(stored[0].contains(&format!("config = {{ site = \"{written}\" }}")), "{stored:?}");
        let (context, directory) =
            (ConnectorContext::new(world.credentials()), ManifestDirectory::embedded());
        let read = AddPlan::of_definition("acme", &stored[0], &directory, &context).await;
        assert_eq!(read.expect("a plan").1.config["site"], json!(site));
        let list = loggia_gateway::ConnectorList::of(None, &world.credentials());
        list.unwrap_or_else(|error| panic!("{error}"))
            .remove("acme")
            .await
            .unwrap_or_else(|error| panic!("{error}"));
    }
}

/// Each case: the credential, and a part of the error with the next step; `None` where the account is saved.
#[tokio::test]
async fn a_further_account_needs_a_credential_that_the_system_takes() {
    let world = World::new().await;
    let remote = "[connectors.linear]\nkind = \"manifest\"\nmanifest = \"linear\"\nbackend = \"remote\"\n";
    let acme = format!(
        "[connectors.acme]\nkind = \"manifest\"\nmanifest = \"{}\"\nbackend = \"api\"\nconfig = {{ site = \"docs\" }}\n",
        world.manifest()
    );
    let (context, directory) = (ConnectorContext::new(world.credentials()), ManifestDirectory::embedded());
    for (name, definition, credential, expected) in [
        ("acme", acme.as_str(), Some("key-good"), None),
        ("acme", &acme, Some("key-bad"), Some("it does not work")),
        ("acme", &acme, Some("env:ACME_KEY"), Some("--credential - reads it from stdin")),
        ("acme", &acme, None, Some("--credential VALUE|-|env:NAME: Secret key")),
        ("linear", remote, None, Some("needs a sign-in, in a browser")),
        ("wiki", "[connectors.wiki]\nkind = \"remote\"\n", None, Some("its definition cannot be read")),
        (
            "wiki",
            "[connectors.wiki]\nkind = \"builtin\"\nname = \"files\"\n",
            None,
            Some("only connectors with a manifest"),
        ),
        (
            "wiki",
            "[connectors.wiki]\nkind = \"remote\"\nurl = \"https://wiki.example/mcp\"\n",
            None,
            Some("needs a sign-in, in a browser"),
        ),
        (
            "wiki",
            "[connectors.wiki]\nkind = \"remote\"\nurl = \"https://wiki.example/mcp\"\n",
            Some("key-good"),
            Some("it takes no key"),
        ),
        ("wiki", "[", None, Some("its definition cannot be read")),
    ] {
        let saved = match AddPlan::of_definition(name, definition, &directory, &context).await {
            Ok((plan, answers)) => {
                let credential = credential.map(|text| text.parse().expect("a credential"));
                plan.save_account(&AddAnswers { credential, ..answers }, &context, None).await
            }
            Err(error) => Err(error),
        };
        match (saved, expected) {
            (Ok(account), None) => assert_eq!(account, "Ada"),
            (Err(error), Some(part)) => {
                let said = format!("{error}; {}", error.next_step().unwrap_or_default());
                assert!(said.contains(part), "{credential:?}: {said}");
            }
            (saved, expected) => panic!("{credential:?}: {saved:?}, not {expected:?}"),
        }
    }
    assert_eq!(world.credentials().accounts(None).await.expect("read").len(), 1);
}

#[tokio::test]
async fn a_description_becomes_a_connector_in_the_file_with_its_comments() {
    let world = World::new().await;
    let description = format!(
        r#"{{"openapi": "3.1.0", "info": {{"title": "Page Shop", "version": "1"}}, "servers": [{{"url": "http://{}/v1"}}],
        "paths": {{"/pages": {{"get": {{"operationId": "listPages", "responses": {{}}}},
        "delete": {{"operationId": "dropPages", "responses": {{}}}}}}}}}}"#,
        world.api
    );
    let word = world.write("shop.json", &description);
    let text = world.plan(&word).await.expect("a plan").to_string();
    assert!(
        text.contains("  reads         list_pages") && text.contains("  deletes       drop_pages"),
        "{text}"
    );
    let file = world.path("loggia.toml");
    std::fs::write(&file, "# mine\n[server]\nlisten = \":0\" # free\n").expect("written");
    let context = ConnectorContext::new(world.credentials());
    let plan = world.plan(&word).await.expect("a plan");
    let place = world.place().in_file(&file);
    let report = plan.finish(AddAnswers::default(), &place, &context, None).await.expect("it is added");
    assert_eq!((report.name.as_str(), report.tools.len()), ("page-shop", 2));
    let written = std::fs::read_to_string(&file).expect("a file");
    let section = format!(
        "\n[connectors.page-shop]\nkind = \"openapi\"\ndescription = \"{word}\"\nbase_url = \"http://{}/v1\"\n",
        world.api
    );
    assert_eq!(written, format!("# mine\n[server]\nlisten = \":0\" # free\n{section}"));
    assert!(world.stored().await.is_empty());

    let plan = world.plan(&word).await.expect("a plan");
    let again =
        plan.finish(AddAnswers::default(), &place, &context, None).await.expect_err("the name is taken");
    assert!(again.to_string().contains(&format!("in {}", file.display())), "{again}");
    // No operation takes a credential, so none is saved.
    let secret = AddAnswers { credential: Some("s3cret".parse().expect("one")), ..AddAnswers::default() };
    let error = world.finish(&word, secret).await.expect_err("refused");
    assert!(error.next_step().is_some_and(|step| step.contains("leave --credential out")), "{error}");
}

#[tokio::test]
async fn packages_and_servers_are_stored_as_the_kinds_that_there_are() {
    let world = World::new().await;
    for (word, answers, expected) in [
        (
            "npm:@acme/mcp@1.2.3",
            vec![("ACME_KEY", "env:ACME_KEY"), ("MODE", "a${b")],
            "[connectors.acme]\nkind = \"stdio\"\ncommand = \"npx\"\nargs = [\"-y\", \"@acme/mcp@1.2.3\"]\n\
             env = { ACME_KEY = \"${ACME_KEY}\", MODE = \"a$${b\" }\n",
        ),
        (
            "pypi:acme-tools==2.0",
            Vec::new(),
            "[connectors.acme-tools]\nkind = \"stdio\"\ncommand = \"uvx\"\nargs = [\"--from\", \"acme-tools==2.0\", \"acme-tools\"]\n",
        ),
        (
            "oci:ghcr.io/shop/mcp:1",
            Vec::new(),
            "[connectors.shop]\nkind = \"stdio\"\ncommand = \"docker\"\nargs = [\"run\", \"-i\", \"--rm\", \"ghcr.io/shop/mcp:1\"]\n",
        ),
        (
            "https://mcp.wiki.example/mcp",
            Vec::new(),
            "[connectors.wiki]\nkind = \"remote\"\nurl = \"https://mcp.wiki.example/mcp\"\n",
        ),
    ] {
        let plan = world.plan(word).await.expect(word);
        let config = answers
            .iter()
            .map(|(name, text)| ((*name).to_owned(), plan.read_value(name, text).expect("a value")));
        let answers = AddAnswers { config: config.collect(), is_checked: false, ..AddAnswers::default() };
        let context = ConnectorContext::new(world.credentials());
        plan.finish(answers, &world.place(), &context, None).await.expect(word);
        assert_eq!(world.stored().await.last().map(String::as_str), Some(expected), "{word}");
        // The configuration that `loggia up` makes of it is right.
        loggia_gateway::GatewayConfig::parse(expected, Path::new("x"), &Redactor::default())
            .unwrap_or_else(|error| panic!("{word}: {error}"));
    }
}
