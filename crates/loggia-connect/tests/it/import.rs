//! The servers of MCP clients as connectors.

use std::fmt::Write as _;
use std::path::Path;

use loggia_connect::import::Import;

/// Files of clients. Every secret in them contains `s3cret`.
const FILES: &[(&str, &str)] = &[
    (
        "Claude: commands, secrets in env and args",
        r#"{"mcpServers": {
            "github": {"command": "npx", "args": ["-y", "server-github"], "env": {"GITHUB_PERSONAL_ACCESS_TOKEN": "s3cret", "MODE": "fast"}},
            "my GitLab (work)": {"command": "/opt/bin/gitlab", "args": ["--token=s3cret2", "--api-key", "s3cret3", "sk-s3cret4", "--port", "80"], "cwd": "/srv"},
            "proxied": {"command": "npx", "args": ["mcp-remote", "https://x.example/sse", "--header", "Authorization: Bearer s3cret5"]}
        }}"#,
    ),
    (
        "Cursor and others: URLs under each name, headers, switches",
        r#"{"mcpServers": {
            "a": {"url": "https://a.example/mcp", "headers": {"Authorization": "Bearer s3cret", "X-Team": "core"}},
            "b": {"serverUrl": "https://b.example/mcp?api_key=s3cret&x=1", "disabled": true},
            "c": {"httpUrl": "https://c.example/mcp", "timeout": 5000, "includeTools": ["read"], "excludeTools": ["drop"], "disabledTools": ["wipe", "send"]},
            "e": {"url": "https://e.example/mcp", "disabledTools": ["wipe"]},
            "f": {"url": "https://f.example/mcp", "disabledTools": [], "excludeTools": null, "includeTools": null},
            "d": {"type": "sse", "url": "https://d.example/sse", "alwaysAllow": ["x"]}
        }}"#,
    ),
    (
        "VS Code: comments, trailing commas, inputs",
        r#"{
            // Inputs are asked for once.
            "inputs": [{"id": "api-key", "type": "promptString"}],
            "servers": {
                "search": {"type": "stdio", "command": "uvx", "args": ["search", "${input:api-key}", "${workspaceFolder}"], "env": {"A": "${env:A}", "B": "${my odd}", "H": "${userHome}/x"}},
                "web": {"type": "http", "url": "https://w.example/mcp", "headers": {"X-Key": "${input:api-key}"}},
            },
        }"#,
    ),
    (
        "secrets inside of values: JSON, URLs, headers behind options, assignments, lines of a shell",
        r#"{"mcpServers": {
            "notion": {"command": "npx", "args": ["-y", "notion-mcp"], "env": {"OPENAPI_MCP_HEADERS": "{\"Authorization\":\"Bearer ntn_s3cret1\",\"Notion-Version\":\"2022-06-28\"}"}},
            "query": {"command": "npx", "args": ["mcp-remote", "https://x.example/sse?api_key=s3cret2&page=1#access_token=s3cret3"]},
            "header": {"command": "npx", "args": ["mcp-remote", "https://x.example/sse", "--header=Authorization: Bearer s3cret4", "--header", "X-Api-Key:s3cret5", "--allow-http"]},
            "user": {"url": "https://ada:s3cret6@u.example/mcp"},
            "path": {"url": "https://u.example/api/s/s3cretAbCdEfGh0123456789AbCd/mcp?plain=1"},
            "docker": {"command": "docker", "args": ["run", "-i", "-e", "GITHUB_TOKEN=s3cret7", "--env=DB_PASS=s3cret8", "-e", "MODE=fast", "-e", "A=https://ada:s3cret9@h/", "image"]},
            "shell": {"command": "sh", "args": ["-c", "API=1 server --api-key s3cret10"]},
            "json": {"command": "server", "args": ["--config", "{\"token\":\"s3cret11\",\"a\":1}", "postgres://ada:s3cret/12@h/db"]},
            "line": {"command": "npx server --token s3cret13", "cwd": "/srv"},
            "mixed": {"command": "x", "env": {"HEADERS": "A: ${env:A}, Authorization: Bearer s3cret14"}},
            "plain": {"command": "uvx", "args": ["--from", "git+https://h/x@0123456789abcdef0123456789abcdef01234567", "C:\\dir", "host:80", "--name=a=b", "ssh://git@h/x"]}
        }}"#,
    ),
    (
        "references beside secrets, and texts that are no references",
        r#"{"mcpServers": {
            "prefix": {"command": "x", "env": {"API_KEY": "${PREFIX}s3cret1", "AUTHORIZATION": "Bearer ${TOKEN}", "TOKEN": "${TOKEN:-s3cret2}"}},
            "odd": {"command": "x", "args": ["${my odd}", "--key=s3cret3", "a ${my odd} b ${env:A} c ${ d", "${a${A}", "${env:my odd}"]},
            "query": {"url": "https://h.example/${my.odd}?key=s3cret4&token=${T}s3cret5&api_key=${K}"}
        }}"#,
    ),
    (
        "one variable, two values",
        r#"{"mcp": {"servers": {
            "one": {"command": "a", "env": {"API_KEY": "s3cret1", "DEBUG": true, "PORT": 8080}},
            "two": {"command": ["b", "c"], "env": {"API_KEY": "s3cret2", "DATABASE_URL": "postgres://ada:s3cret@h/db"}}
        }}}"#,
    ),
];

#[test]
fn servers_of_clients_are_connectors_without_their_secrets() {
    let existing = "# Kept as it is.\n[server]   # also here\nlisten = \":1\"\n\n[connectors.notes]\nkind = \"builtin\"\nname = \"files\"\n\n# The end.\n";
    let mut shown = String::new();
    for (what, json) in FILES {
        let import = Import::parse(json, &[]).expect(what);
        let text = import.add_to(existing, Path::new("loggia.toml")).expect(what);
        let added = text.strip_prefix(existing).expect("the file is kept");
        writeln!(shown, "##### {what}\n{added}").unwrap();
        for server in import.servers() {
            writeln!(shown, "{}: {}; {}", server.name, server.summary, server.notes.join("; ")).unwrap();
        }
        shown.push('\n');
        assert!(!format!("{text}{import:?}").contains("s3cret"), "{what}: {text}");
    }
    assert!(!shown.contains("s3cret"), "{shown}");
    insta::assert_snapshot!(shown);
}

#[test]
fn what_cannot_be_imported_says_why_and_quotes_no_value() {
    let taken = "[connectors.GitHub]\nkind = \"builtin\"\nname = \"files\"\n";
    let inline = "connectors = { a = { kind = \"builtin\", name = \"files\" } }\n";
    let good = r#"{"mcpServers": {"github": {"command": "x"}}}"#;
    let mut shown = String::new();
    for (what, json, names, existing) in [
        ("no JSON", "{\"mcpServers\": {\n  \"a\": s3cret }}", &[] as &[&str], ""),
        ("an empty file", "", &[], ""),
        ("no servers", "{\"s3cret\": 1}", &[], ""),
        ("an empty list", "{\"mcpServers\": {}}", &[], ""),
        ("no such server", good, &["gitlab"], ""),
        ("neither command nor url", r#"{"mcpServers": {"a": {"env": {"A": "s3cret"}}}}"#, &[], ""),
        ("an empty command", r#"{"mcpServers": {"a": {"command": ""}}}"#, &[], ""),
        (
            "args that are no texts",
            r#"{"mcpServers": {"a": {"command": "x", "args": [{"s3cret": 1}]}}}"#,
            &[],
            "",
        ),
        ("env that is a list", r#"{"mcpServers": {"a": {"command": "x", "env": ["s3cret"]}}}"#, &[], ""),
        ("a name without letters", r#"{"mcpServers": {"日本": {"command": "x"}}}"#, &[], ""),
        ("a url that is none", r#"{"mcpServers": {"a": {"url": "s3cret"}}}"#, &[], ""),
        ("MCP over WebSocket", r#"{"mcpServers": {"a": {"url": "wss://s3cret.example/mcp"}}}"#, &[], ""),
        (
            "two that cannot, and one that can",
            r#"{"mcpServers": {"b": {}, "c": {"command": "x"}, "a": {"url": "ws://s3cret/mcp"}}}"#,
            &[],
            "",
        ),
        (
            "an unknown server, with those there are in the order of the file",
            r#"{"mcpServers": {"b": {"command": "x"}, "a": {"command": "x"}}}"#,
            &["c"],
            "",
        ),
        ("a name that is taken", good, &[], taken),
        (
            "two names that are one",
            r#"{"mcpServers": {"a b": {"command": "x"}, "a_b": {"command": "x"}}}"#,
            &[],
            "",
        ),
        ("connectors in one line", good, &[], inline),
        ("a damaged file", good, &[], "[server\n"),
    ] {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let imported = Import::parse(json, &names).and_then(|i| i.add_to(existing, Path::new("loggia.toml")));
        let error = imported.expect_err(what).to_string();
        assert!(!error.contains("s3cret"), "{what}: {error}");
        writeln!(shown, "# {what}\n{error}\n").unwrap();
    }
    insta::assert_snapshot!(shown);
}
