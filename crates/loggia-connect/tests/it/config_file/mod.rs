//! `loggia.toml`: what it means, and what is said where it means nothing.

mod problems;

use std::path::{Path, PathBuf};
use std::time::Duration;

use loggia::limits::Limits;
use loggia::wire::Version;
use loggia_connect::config_file::{
    Admitted, Backend, BuiltinKind, ConfigFile, ConfigFileError, Listen, Personal, PublicUrl, Remote, Stdio,
    SubjectClaim, Transport, VaultKey,
};
use loggia_connect::secret::{Location, Secret, Template};
use loggia_sandbox::{HostAccess, SandboxMode};

fn parse(text: &str) -> Result<ConfigFile, ConfigFileError> {
    ConfigFile::parse(text, Path::new("team/loggia.toml"))
}

fn environment(name: &str) -> Option<String> {
    let set = [
        ("TOKEN", "t0k3n"),
        ("HOST", "wiki.example.com"),
        ("EMPTY", ""),
        ("BREAK", "a\nb"),
        ("HOME", "/users/ada"),
    ];
    set.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
}

const WHOLE: &str = r#"
[server]
listen = ":8080"
path = "/tools"
allowed_hosts = ["mcp.example.com", "10.0.0.1:8080"]
allowed_origins = ["https://app.example.com", "http://localhost:3000"]

[server.limits]
message_bytes = "8MiB"
requests = 10
idle = "5m"

[connectors.search]
kind = "stdio"
command = "npx"
args = ["-y", "search@1.2.3", "--key=${TOKEN}"]
env = { API_KEY = "${TOKEN}", MODE = "fast" }
cwd = "${HOME}/work"
timeout = "90s"
protocol = "2025-06-18"

[connectors.wiki]
kind = "remote"
url = "https://${HOST}/mcp"
prefix = "w"
headers = { Authorization = "Bearer ${TOKEN}" }
transport = "streamable"
tools = { allow = ["page_*"], deny = ["*_delete"] }

[connectors.notes]
kind = "builtin"
name = "files"
enabled = false
options = { path = "notes", write = true, write_sensitive = true }
"#;

#[test]
fn a_whole_configuration_file() {
    let config = parse(WHOLE).unwrap();
    assert_eq!(config.base, PathBuf::from("team"));
    assert_eq!(config.server.listen, Some(Listen { host: "127.0.0.1".into(), port: 8080 }));
    assert_eq!(config.server.path, "/tools");
    assert_eq!(config.server.allowed_hosts, ["mcp.example.com", "10.0.0.1:8080"]);
    assert_eq!(config.server.allowed_origins, ["https://app.example.com", "http://localhost:3000"]);
    let limits = &config.server.limits;
    assert_eq!((limits.message_bytes, limits.requests, limits.idle), (8 << 20, 10, Duration::from_secs(300)));
    assert_eq!(limits.streams, Limits::default().streams);

    let [search, wiki, notes] = &config.connectors[..] else { panic!("{:?}", config.connectors) };
    assert_eq!((notes.enabled, notes.prefix(), notes.timeout), (false, "notes", None));
    assert_eq!((search.enabled, search.prefix()), (true, "search"));
    assert_eq!(
        (search.timeout, search.protocol),
        (Some(Duration::from_secs(90)), Some(Version::V2025_06_18))
    );
    assert_eq!((wiki.prefix(), wiki.qualifier()), ("w", "w"));
    for (tool, allowed) in [("page_get", true), ("page_delete", false), ("search", false)] {
        assert_eq!(wiki.tools.allows(tool), allowed, "{tool}");
    }
    assert!(search.tools.allows("anything"));
}

#[test]
fn variables_are_filled_in_when_a_connector_starts() {
    let config = parse(WHOLE).unwrap();
    let [search, wiki, notes] = &config.connectors[..] else { panic!("{:?}", config.connectors) };
    let Ok(Backend::Stdio(Stdio { command, args, env, cwd, .. })) = search.resolve(&environment) else {
        panic!()
    };
    assert_eq!(command.expose(), "npx");
    assert_eq!(args.iter().map(Secret::expose).collect::<Vec<_>>(), ["-y", "search@1.2.3", "--key=t0k3n"]);
    let env: Vec<(&str, &str)> = env.iter().map(|(name, value)| (name.as_str(), value.expose())).collect();
    assert_eq!(env, [("API_KEY", "t0k3n"), ("MODE", "fast")]);
    assert_eq!(cwd.as_ref().map(Secret::expose), Some("/users/ada/work"));
    let Ok(Backend::Remote(Remote { url, headers, transport, .. })) = wiki.resolve(&environment) else {
        panic!()
    };
    assert_eq!((url.expose(), transport), ("https://wiki.example.com/mcp", Transport::Streamable));
    assert_eq!(headers["Authorization"].expose(), "Bearer t0k3n");
    let Ok(Backend::Builtin(files)) = notes.resolve(&environment) else { panic!() };
    assert_eq!(files.kind, BuiltinKind::Files);
    let flags = (files.flag("write"), files.flag("write_sensitive"));
    assert_eq!((files.text("path"), flags), (Some("notes"), (true, true)));
}

#[test]
fn no_secret_is_shown() {
    let config = parse(&WHOLE.replace("${TOKEN}", "s3cret")).unwrap();
    let resolved: Vec<_> = config.connectors.iter().map(|c| c.resolve(&environment).unwrap()).collect();
    let shown = format!("{config:?} {resolved:?} {:?}", Secret::new("s3cret"));
    assert!(!shown.contains("s3cret"), "{shown}");
    assert!(shown.contains("[secret]") && shown.contains("[template at team/loggia.toml:16:31]"), "{shown}");
}

#[test]
fn an_empty_configuration_file_serves_nothing_at_the_default_place() {
    let config = parse("").unwrap();
    assert!(config.connectors.is_empty());
    assert_eq!((config.server.path.as_str(), config.server.listen), ("/mcp", None));
}

#[test]
fn templates() {
    let location = Location { file: "x.toml".into(), line: 1, column: 2 };
    let table = [
        ("", Ok("")),
        ("plain", Ok("plain")),
        ("a $5 b$", Ok("a $5 b$")),
        ("${TOKEN}", Ok("t0k3n")),
        ("a${TOKEN}b${HOST}c", Ok("at0k3nbwiki.example.comc")),
        ("$${TOKEN}", Ok("${TOKEN}")),
        ("$$${TOKEN}", Ok("$${TOKEN}")),
        ("${EMPTY}", Ok("")),
        ("${EMPTY:-x}", Ok("x")),
        ("${UNSET:-x:-y}", Ok("x:-y")),
        ("${UNSET:-}", Ok("")),
        ("${UNSET}", Err("UNSET")),
    ];
    for (text, expected) in table {
        let template = Template::parse(text, location.clone()).unwrap();
        let expanded = template.expand(&environment);
        let expanded = expanded.as_ref().map(Secret::expose).map_err(|missing| missing.name.as_str());
        assert_eq!(expanded, expected, "{text}");
        assert_eq!(template.is_plain(), !text.replace("$${", "").contains("${"), "{text}");
    }
    for text in ["${", "a${TOKEN", "${}", "${A B}", "${1A}", "${-x}"] {
        assert!(Template::parse(text, location.clone()).is_err(), "{text}");
    }
}

#[test]
fn where_to_listen() {
    let table = [
        ("127.0.0.1:4000", Some("127.0.0.1:4000")),
        (":0", Some("127.0.0.1:0")),
        ("8080", Some("127.0.0.1:8080")),
        ("localhost:1", Some("localhost:1")),
        ("[::1]:80", Some("[::1]:80")),
        ("0.0.0.0:80", Some("0.0.0.0:80")),
        ("::1", None),
        ("::1:80", None),
        ("[x]:80", None),
        ("host", None),
        ("host:70000", None),
        ("http://host:80", None),
        ("", None),
    ];
    for (text, expected) in table {
        let listen = text.parse::<Listen>().ok().map(|listen| listen.to_string());
        assert_eq!(listen.as_deref(), expected, "{text}");
    }
}

#[test]
fn a_file_is_read_with_its_directory_as_base() {
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("loggia.toml");
    std::fs::write(&path, WHOLE).unwrap();
    assert_eq!(ConfigFile::read(&path).unwrap().base, folder.path());
    std::fs::write(&path, " ".repeat((1 << 20) + 1)).unwrap();
    let error = ConfigFile::read(&path).expect_err("it is too long").to_string();
    assert!(error.ends_with("loggia.toml cannot be read: it is longer than 1 MiB"), "{error}");
    let error = ConfigFile::read(&folder.path().join("none.toml")).expect_err("there is none").to_string();
    assert!(error.contains("none.toml cannot be read: "), "{error}");
}

/// A bound that is new in the SDK can be set here too.
#[test]
fn every_limit_can_be_set() {
    let defaults = format!("{:?}", Limits::default());
    let fields: Vec<&str> =
        defaults.trim_start_matches("Limits { ").trim_end_matches(" }").split(", ").collect();
    assert!(fields.len() > 20, "{defaults}");
    for field in fields {
        let (name, default) = field.split_once(": ").unwrap();
        let (written, set) = if default.ends_with('s') { ("\"7s\"", "7s") } else { ("7", "7") };
        let config = parse(&format!("[server.limits]\n{name} = {written}")).unwrap();
        let shown = format!("{:?}", config.server.limits);
        assert_eq!(shown, defaults.replace(field, &format!("{name}: {set}")), "{name}");
    }
}

#[test]
fn who_may_use_the_endpoint() {
    let server = |text: &str| parse(text).unwrap().server;
    assert!(server("").auth.is_none());
    assert_eq!(server("").vault_key, VaultKey::File);
    assert_eq!(server("[server.vault]\nkeyring = true").vault_key, VaultKey::Keyring);
    let command = server("[server.vault]\nkey_command = [\"kms\", \"read\"]").vault_key;
    assert_eq!(command, VaultKey::Command(vec!["kms".into(), "read".into()]));
    let whole = server(
        "[server.auth]\nenabled = false\n[server.auth.openid]\nissuer = \"https://login.example.com\"\n\
         client_id = \"loggia\"\nclient_secret = \"${TOKEN}\"\nemails = [\"Ada@x.example\"]\n\
         domains = [\"Y.example\"]\nsubject = \"email\"",
    );
    let auth = whole.auth.unwrap();
    let openid = auth.openid.unwrap();
    assert_eq!((auth.enabled, openid.subject), (Some(false), SubjectClaim::Email));
    assert_eq!((&*openid.issuer, &*openid.client_id), ("https://login.example.com", "loggia"));
    assert_eq!(openid.client_secret.unwrap().expand(&environment).unwrap().expose(), "t0k3n");
    let (emails, domains) = (vec!["ada@x.example".to_owned()], vec!["y.example".to_owned()]);
    assert_eq!(openid.admitted, Admitted::Some { emails, domains });
}

#[test]
fn public_urls() {
    for (text, expected) in [
        ("https://MCP.example.com/", Some(("https://mcp.example.com", "mcp.example.com", false))),
        ("https://mcp.example.com:443", Some(("https://mcp.example.com", "mcp.example.com", false))),
        (
            "https://mcp.example.com:8443",
            Some(("https://mcp.example.com:8443", "mcp.example.com:8443", false)),
        ),
        ("http://127.0.0.1:4000", Some(("http://127.0.0.1:4000", "127.0.0.1:4000", true))),
        ("http://[::1]:4000", Some(("http://[::1]:4000", "[::1]:4000", true))),
        ("https://localhost", Some(("https://localhost", "localhost", true))),
        ("http://mcp.example.com", None),
        ("https://mcp.example.com/mcp", None),
        ("https://mcp.example.com?a=b", None),
        ("https://mcp.example.com/#a", None),
        ("https://ada@mcp.example.com", None),
        ("mcp.example.com", None),
        ("ftp://localhost", None),
    ] {
        let url: Option<PublicUrl> = text.parse().ok();
        let found = url.as_ref().map(|url| (url.as_str(), url.authority(), url.is_local()));
        assert_eq!(found, expected, "{text}");
    }
}

#[test]
fn what_everybody_has_for_themselves() {
    let remote = |more: &str| {
        let text = format!("[connectors.a]\nkind = \"remote\"\nurl = \"https://x.example/\"\n{more}");
        let Backend::Remote(remote) = parse(&text).unwrap().connectors[0].resolve(&environment).unwrap()
        else {
            panic!("{text}")
        };
        remote.personal
    };
    assert!(remote("").is_none() && remote("credentials = \"shared\"").is_none());
    assert!(matches!(remote("credentials = \"person\""), Some(Personal::SignIn(None))));
    let Some(Personal::SignIn(Some(client))) =
        remote("credentials = \"person\"\nclient_id = \"hub\"\nclient_secret = \"${TOKEN}\"")
    else {
        panic!("it has a client")
    };
    assert_eq!((&*client.id, client.secret.unwrap().expose()), ("hub", "t0k3n"));
    let Some(Personal::ApiKey(header)) =
        remote("credentials = \"person\"\napi_key = \"Authorization: Bearer {key}\"")
    else {
        panic!("it has a key")
    };
    assert_eq!(header.name, "Authorization");
    assert_eq!(header.value("t0k3n").unwrap().expose(), "Bearer t0k3n");
    for bad in ["", "a\nb"] {
        assert!(header.value(bad).is_err(), "{bad:?}");
    }
}

#[test]
fn an_issuer_is_kept_letter_by_letter() {
    for issuer in ["https://login.example", "https://login.example/"] {
        let text =
            format!("[connectors.a]\nkind = \"remote\"\nurl = \"https://x.example/\"\nissuer = \"{issuer}\"");
        let resolved = parse(&text).unwrap().connectors[0].resolve(&environment).unwrap();
        let Backend::Remote(remote) = resolved else { panic!("{text}") };
        assert_eq!(remote.issuer.as_deref(), Some(issuer));
    }
}

#[test]
fn whose_tokens_are_taken_and_what_for() {
    let auth = |text: &str| parse(text).unwrap().server.auth.unwrap();
    let plain = auth("[server.auth]");
    assert!(plain.embedded && plain.issuers.is_empty() && plain.clients.is_empty());
    assert_eq!(plain.scopes.all(), ["mcp"]);
    let whole = auth(
        r#"
[server.auth]
embedded = false
[[server.auth.issuers]]
issuer = "https://login.example.com"
audience = "api://loggia"
any_token_type = true
[[server.auth.issuers]]
issuer = "https://opaque.example.com"
introspection = "https://opaque.example.com/introspect"
client_id = "loggia"
client_secret = "${TOKEN}"
[[server.auth.assertions]]
issuer = "https://idp.example.com"
anyone = true
[[server.auth.clients]]
client_id = "agent"
client_secret = "${TOKEN}"
redirect_uris = ["https://agent.example.com/callback"]
[server.auth.scopes]
required = ["use"]
tools = { "files_write" = "files:write", "github_*" = "code" }
resources = { "file:///secret*" = "secrets" }
implies = { admin = ["files:write", "code"] }
"#,
    );
    let [login, opaque] = &whole.issuers[..] else { panic!("{whole:?}") };
    assert!(!whole.embedded && login.introspection.is_none() && login.any_token_type);
    assert_eq!(login.audience.as_deref(), Some("api://loggia"));
    assert_eq!(opaque.introspection.as_ref().unwrap().endpoint, "https://opaque.example.com/introspect");
    assert_eq!((&*whole.clients[0].name, &whole.assertions[0].admitted), ("agent", &Admitted::Anyone));
    assert_eq!(whole.scopes.all(), ["use", "files:write", "code", "secrets", "admin"]);
    assert!(!format!("{whole:?}").contains("t0k3n"));
}

#[test]
fn connectors_keep_the_order_of_the_file() {
    let files = |name: &str| format!("[connectors.{name}]\nkind = \"builtin\"\nname = \"files\"\n");
    let cases = [
        (["zeta", "alpha", "mid"].map(files).concat(), ["zeta", "alpha", "mid"]),
        (["mid", "zeta", "alpha"].map(files).concat(), ["mid", "zeta", "alpha"]),
        (
            "[connectors]\nzeta = { kind = \"builtin\", name = \"files\" }\nmid = { kind = \"builtin\", name = \
             \"files\" }\nalpha = { kind = \"builtin\", name = \"files\" }\n"
                .to_owned(),
            ["zeta", "mid", "alpha"],
        ),
    ];
    for (text, expected) in cases {
        let names: Vec<String> = parse(&text)
            .expect("a configuration file")
            .connectors
            .into_iter()
            .map(|connector| connector.name)
            .collect();
        assert_eq!(names, expected, "{text}");
    }
}

#[test]
fn starts_and_first_lists_have_limits_of_their_own() {
    let config = parse(
        "[server.limits]\nfirst_list_wait = \"45s\"\n[connectors.a]\nkind = \"stdio\"\ncommand = \"x\"\nstart_timeout = \"20m\"\n",
    )
    .expect("a configuration file");
    assert_eq!(config.server.gateway.first_list_wait, Some(Duration::from_secs(45)));
    let Backend::Stdio(stdio) = &config.connectors[0].backend else { panic!("not stdio") };
    assert_eq!(stdio.start_timeout, Some(Duration::from_secs(20 * 60)));
    for (text, part) in [
        ("[server.limits]\nfirst_list_wait = 5\n", "with its unit"),
        ("[connectors.a]\nkind = \"stdio\"\ncommand = \"x\"\nstart_timeout = \"0s\"\n", "above zero"),
        (
            "[connectors.a]\nkind = \"remote\"\nurl = \"https://x.example\"\nstart_timeout = \"1m\"\n",
            "kind \"stdio\"",
        ),
    ] {
        let error = parse(text).expect_err("refused").to_string();
        assert!(error.contains(part), "{text}: {error}");
    }
}

#[test]
fn a_sandbox_is_a_word_or_a_table() {
    let stdio = "[connectors.a]\nkind = \"stdio\"\ncommand = \"x\"\n";
    for (server, key, expected) in [
        ("", "", SandboxMode::Off),
        ("", "sandbox = \"on\"", SandboxMode::On),
        ("", "sandbox = { read = [\"/srv\"] }", SandboxMode::On),
        ("", "sandbox = { mode = \"require\", hosts = [\"a.example\"] }", SandboxMode::Require),
        ("[server]\nsandbox = \"require\"\n", "", SandboxMode::Require),
        ("[server]\nsandbox = \"require\"\n", "sandbox = \"off\"", SandboxMode::Off),
    ] {
        let config = parse(&format!("{server}{stdio}{key}\n")).expect("a configuration file");
        let Backend::Stdio(stdio) = &config.connectors[0].backend else { panic!("not stdio") };
        assert_eq!(stdio.sandbox.mode(config.server.sandbox), expected, "{server}{key}");
    }
    let listed = "sandbox = { write = [\"x\"], hosts = [\"*.a.example\", \"b.example:22\"], memory = \"1GiB\", processes = 9 }";
    let config = parse(&format!("{stdio}{listed}\n")).expect("a configuration file");
    let Backend::Stdio(program) = &config.connectors[0].backend else { panic!("not stdio") };
    let own = program.sandbox.permissions.as_ref().expect("a list");
    let HostAccess::Only(hosts) = &own.hosts else { panic!("any host") };
    let hosts: Vec<String> = hosts.iter().map(ToString::to_string).collect();
    assert_eq!(hosts, ["*.a.example", "b.example:22"]);
    assert_eq!((own.memory, own.processes, own.write.len()), (Some(1 << 30), Some(9), 1));
}

#[test]
fn mistakes_in_a_sandbox_are_told() {
    let stdio = "kind = \"stdio\"\ncommand = \"x\"\n";
    for (text, part) in [
        (format!("{stdio}sandbox = \"require\"\nsandbox_x = 1"), "sandbox_x"),
        (format!("{stdio}sandbox = \"requires\""), "did you mean 'require'"),
        (format!("{stdio}sandbox = true"), "write sandbox = \"on\""),
        (format!("{stdio}sandbox = {{ reads = [] }}"), "reads"),
        (format!("{stdio}sandbox = {{ hosts = [\"https://a.example\"] }}"), "without scheme and path"),
        (format!("{stdio}sandbox = {{ memory = \"much\" }}"), "bytes"),
        (
            "kind = \"remote\"\nurl = \"https://x.example\"\nsandbox = \"on\"".to_owned(),
            "kind \"stdio\" or \"manifest\"",
        ),
        ("kind = \"manifest\"\nmanifest = \"x\"\nsandbox = { read = [] }".to_owned(), "the manifest lists"),
    ] {
        let error = parse(&format!("[connectors.a]\n{text}\n")).expect_err("refused").to_string();
        assert!(error.contains(part), "{text}: {error}");
    }
}

/// The fingerprint changes with the server that is meant, and neither with secrets nor with what is only shown.
#[test]
fn a_fingerprint_stands_for_the_server_and_for_no_secret() {
    let of = |text: &str| {
        parse(&format!("[connectors.a]\n{text}")).expect("a configuration file").connectors[0].fingerprint()
    };
    let stdio = "kind = \"stdio\"\ncommand = \"npx\"\nargs = [\"one\", \"two\"]\n";
    let remote = "kind = \"remote\"\nurl = \"https://x.example/mcp\"\n";
    let cases = [
        (stdio, "env = { KEY = \"1\" }\n", "env = { KEY = \"2\" }\n", true),
        (stdio, "timeout = \"1s\"\n", "start_timeout = \"2s\"\n", true),
        (stdio, "", "cwd = \"/tmp\"\n", false),
        (stdio, "", "protocol = \"2025-06-18\"\n", false),
        (remote, "headers = { A = \"1\" }\n", "headers = { A = \"2\" }\n", true),
        (remote, "", "headers = { A = \"2\" }\n", false),
    ];
    for (base, one, other, same) in cases {
        assert_eq!(of(&format!("{base}{one}")) == of(&format!("{base}{other}")), same, "{one} {other}");
    }
    let joined = "kind = \"stdio\"\ncommand = \"npx\"\nargs = [\"onetwo\"]\n";
    assert_ne!(of(stdio), of(joined));
    assert_ne!(of(stdio), of(remote));
}
