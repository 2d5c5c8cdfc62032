use std::fmt::Write as _;

use super::{environment, parse};

/// Each configuration file is wrong in one way, or in several at once.
const WRONG: &[(&str, &str)] = &[
    ("syntax", "[connectors.a\nkind = 1"),
    ("a value left out", "[connectors.a]\nkind ="),
    ("the same key twice", "[server]\npath = \"/a\"\npath = \"/b\""),
    ("the same connector twice", "[connectors.a]\nkind = \"stdio\"\n[connectors.a]\nkind = \"stdio\""),
    ("a misspelt section", "[conectors.a]\nkind = \"stdio\""),
    ("a misspelt key", "[connectors.a]\nkind = \"stdio\"\ncomand = \"npx\""),
    ("an unknown key", "[server]\nzzz = 1"),
    ("a misspelt limit", "[server.limits]\nmesage_bytes = 1"),
    ("no kind, but a command", "[connectors.a]\ncommand = \"npx\""),
    ("no kind, but a url", "[connectors.a]\nurl = \"https://x.example/\""),
    ("no kind at all", "[connectors.a]\nenabled = true"),
    ("a misspelt kind", "[connectors.a]\nkind = \"studio\""),
    ("an unknown kind", "[connectors.a]\nkind = \"zzz\""),
    (
        "keys of another kind",
        "[connectors.a]\nkind = \"stdio\"\ncommand = \"x\"\nurl = \"https://x.example/\"\nheaders = {}",
    ),
    ("no command", "[connectors.a]\nkind = \"stdio\""),
    ("no url", "[connectors.a]\nkind = \"remote\""),
    ("no name", "[connectors.a]\nkind = \"builtin\""),
    ("an unknown built-in", "[connectors.a]\nkind = \"builtin\"\nname = \"file\""),
    ("an unknown option", "[connectors.a]\nkind = \"builtin\"\nname = \"files\"\noptions = { wirte = true }"),
    (
        "an option of the wrong type",
        "[connectors.a]\nkind = \"builtin\"\nname = \"files\"\noptions = { write = \"yes\" }",
    ),
    (
        "an option without the one that it needs",
        "[connectors.a]\nkind = \"builtin\"\nname = \"files\"\noptions = { write_sensitive = true }",
    ),
    ("a name without letters", "[connectors.\"日本\"]\nkind = \"builtin\"\nname = \"files\""),
    (
        "two names that are one",
        "[connectors.My_Files]\nkind = \"builtin\"\nname = \"files\"\n[connectors.my-files]\nkind = \"builtin\"\nname = \"files\"",
    ),
    (
        "two empty prefixes",
        "[connectors.a]\nkind = \"builtin\"\nname = \"files\"\nprefix = \"\"\n[connectors.b]\nkind = \"builtin\"\nname = \"files\"\nprefix = \"\"",
    ),
    (
        "the prefix of one without",
        "[connectors.a]\nkind = \"builtin\"\nname = \"files\"\nprefix = \"\"\n[connectors.b]\nkind = \"builtin\"\nname = \"files\"\nprefix = \"a\"",
    ),
    ("JSON", "{\"mcpServers\": {\"a\": {\"command\": \"npx\"}}}"),
    ("another program's key for the kind", "[connectors.a]\ntype = \"stdio\"\ncommand = \"x\""),
    (
        "another program's key for the url",
        "[connectors.a]\nkind = \"remote\"\nserverUrl = \"https://x.example/\"",
    ),
    (
        "another program's key for the folder",
        "[connectors.a]\nkind = \"stdio\"\ncommand = \"x\"\nworking_directory = \"x\"",
    ),
    ("another program's section", "[mcpServers.a]\ncommand = \"x\""),
    ("another program's kind", "[connectors.a]\nkind = \"streamable-http\"\nurl = \"https://x.example/\""),
    ("a long name", "[connectors.abcdefghijklmnopqrstuvwxyzabcdefg]\nkind = \"builtin\"\nname = \"files\""),
    ("a bad prefix", "[connectors.a]\nkind = \"builtin\"\nname = \"files\"\nprefix = \"a_b\""),
    (
        "a prefix twice",
        "[connectors.a]\nkind = \"builtin\"\nname = \"files\"\n[connectors.b]\nkind = \"builtin\"\nname = \"files\"\nprefix = \"a\"",
    ),
    ("a time without unit", "[connectors.a]\nkind = \"stdio\"\ncommand = \"x\"\ntimeout = 30"),
    ("no time at all", "[connectors.a]\nkind = \"stdio\"\ncommand = \"x\"\ntimeout = \"0s\""),
    ("an unknown revision", "[connectors.a]\nkind = \"stdio\"\ncommand = \"x\"\nprotocol = \"2025-01-01\""),
    ("an unknown rule for pins", "[connectors.a]\nkind = \"stdio\"\ncommand = \"x\"\npin = \"on\""),
    (
        "an unknown transport",
        "[connectors.a]\nkind = \"remote\"\nurl = \"https://x.example/\"\ntransport = \"streaming\"",
    ),
    (
        "an issuer that is no URL",
        "[connectors.a]\nkind = \"remote\"\nurl = \"https://x.example/\"\nissuer = \"login\"",
    ),
    (
        "an issuer of a command",
        "[connectors.a]\nkind = \"stdio\"\ncommand = \"x\"\nissuer = \"https://login.example/\"",
    ),
    ("no scheme", "[connectors.a]\nkind = \"remote\"\nurl = \"x.example/mcp\""),
    (
        "a bad header",
        "[connectors.a]\nkind = \"remote\"\nurl = \"https://x.example/\"\nheaders = { \"a b\" = \"x\" }",
    ),
    ("a bad variable", "[connectors.a]\nkind = \"stdio\"\ncommand = \"x\"\nenv = { \"A=B\" = \"x\" }"),
    ("an open template", "[connectors.a]\nkind = \"stdio\"\ncommand = \"x\"\nargs = [\"a\", \"${TOKEN\"]"),
    (
        "a template without a name",
        "[connectors.a]\nkind = \"stdio\"\ncommand = \"x\"\nenv = { A = \"${my key}\" }",
    ),
    ("a bad pattern", "[connectors.a]\nkind = \"stdio\"\ncommand = \"x\"\ntools = { deny = [\"a[\"] }"),
    ("a string for a list", "[connectors.a]\nkind = \"stdio\"\ncommand = \"x\"\nargs = \"s3cret\""),
    ("a list for a string", "[connectors.a]\nkind = \"stdio\"\ncommand = [\"s3cret\"]"),
    ("a string for a table", "[connectors.a]\nkind = \"stdio\"\ncommand = \"x\"\nenv = \"s3cret\""),
    ("a number for a string", "[connectors.a]\nkind = \"stdio\"\ncommand = \"x\"\nenv = { KEY = 12345 }"),
    ("a string for a switch", "[connectors.a]\nkind = \"stdio\"\ncommand = \"x\"\nenabled = \"yes\""),
    ("a connector that is no table", "[connectors]\na = \"npx\""),
    ("a bad address", "[server]\nlisten = \"localhost\""),
    ("a bad path", "[server]\npath = \"mcp\""),
    ("a bad host", "[server]\nallowed_hosts = [\"ok.example\", \"https://x.example\"]"),
    ("a bad origin", "[server]\nallowed_origins = [\"*\", \"https://x.example/app\"]"),
    ("limits", "[server.limits]\nrequests = 0\nmessage_bytes = \"4MB\"\nidle = 5\nstreams = \"many\""),
    ("a public URL with a path", "[server]\npublic_url = \"https://mcp.example.com/mcp\""),
    ("a public URL that is not safe", "[server]\npublic_url = \"http://mcp.example.com\""),
    ("nobody may come in", "[server.auth.openid]\nissuer = \"https://x.example\"\nclient_id = \"a\""),
    (
        "people who are none",
        "[server.auth.openid]\nissuer = \"x.example\"\nclient_id = \"a\"\nsubject = \"mail\"\n\
         emails = [\"ada\"]\ndomains = [\"@x.example\"]",
    ),
    ("two keys", "[server.vault]\nkeyring = true\nkey_command = [\"x\"]"),
    ("no command", "[server.vault]\nkey_command = []"),
    ("nobody gives tokens", "[server.auth]\nembedded = false"),
    ("an issuer without a name", "[[server.auth.issuers]]\naudience = \"x\""),
    (
        "an issuer that cannot be asked",
        "[[server.auth.issuers]]\nissuer = \"https://x.example\"\nintrospection = \"https://x.example/i\"\nclient_id = \"a\"",
    ),
    ("assertions of nobody", "[[server.auth.assertions]]\nissuer = \"https://x.example\""),
    ("a client without an id", "[[server.auth.clients]]\nname = \"x\""),
    (
        "scopes that are none",
        "[server.auth.scopes]\nrequired = [\"a b\"]\ntools = { \"a*b\" = \"x\", c = \"\" }\nimplies = { \"a b\" = [\"c d\"] }",
    ),
    (
        "credentials of nobody",
        "[connectors.a]\nkind = \"remote\"\nurl = \"https://x.example/\"\ncredentials = \"persons\"",
    ),
    (
        "a key of everybody's",
        "[connectors.a]\nkind = \"remote\"\nurl = \"https://x.example/\"\napi_key = \"X-Key: {key}\"",
    ),
    (
        "a key in no header",
        "[connectors.a]\nkind = \"remote\"\nurl = \"https://x.example/\"\ncredentials = \"person\"\napi_key = \"X-Key\"",
    ),
    (
        "everybody's header for each",
        "[connectors.a]\nkind = \"remote\"\nurl = \"https://x.example/\"\ncredentials = \"person\"\n\
         headers = { Authorization = \"Bearer s3cret\" }",
    ),
    (
        "a client of everybody's",
        "[connectors.a]\nkind = \"remote\"\nurl = \"https://x.example/\"\nclient_id = \"a\"",
    ),
    (
        "a secret of nobody's",
        "[connectors.a]\nkind = \"remote\"\nurl = \"https://x.example/\"\ncredentials = \"person\"\nclient_secret = \"s3cret\"",
    ),
    (
        "a key and a client",
        "[connectors.a]\nkind = \"remote\"\nurl = \"https://x.example/\"\ncredentials = \"person\"\napi_key = \"X: {key}\"\nclient_id = \"a\"",
    ),
    ("a program of each", "[connectors.a]\nkind = \"stdio\"\ncommand = \"x\"\ncredentials = \"person\""),
    (
        "several at once",
        "[server]\npath = \"x\"\n[connectors.B]\nkind = \"stdio\"\nurl = \"x\"\n[connectors.c]\nkind = \"remote\"",
    ),
];

#[test]
fn each_problem_says_where_it_is_and_what_to_write() {
    let mut said = String::new();
    for (what, text) in WRONG {
        let error = parse(text).expect_err(what).to_string();
        assert!(!error.contains("s3cret"), "{what}: {error}");
        writeln!(said, "# {what}\n{error}\n").unwrap();
    }
    insta::assert_snapshot!(said);
}

#[test]
fn what_only_the_environment_shows() {
    let remote = |rest: &str| format!("[connectors.a]\nkind = \"remote\"\n{rest}");
    let table = [
        (
            "a missing variable",
            remote("url = \"https://x.example/\"\nheaders = { Authorization = \"Bearer ${WIKI_TOKEN}\" }"),
        ),
        ("a url that is none", remote("url = \"${TOKEN}\"")),
        (
            "a header with a line break",
            remote("url = \"https://x.example/\"\nheaders = { A = \"${BREAK}\" }"),
        ),
    ];
    let mut said = String::new();
    for (what, text) in table {
        let error = parse(&text).unwrap().connectors[0].resolve(&environment).expect_err(what).to_string();
        assert!(!error.contains("t0k3n"), "{what}: {error}");
        writeln!(said, "# {what}\n{error}\n").unwrap();
    }
    insta::assert_snapshot!(said);
}
