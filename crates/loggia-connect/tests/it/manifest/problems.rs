//! Manifests that cannot be used, and what their authors read.

use loggia_connect::manifest::ConnectorManifest;

const HEAD: &str = r#"name = "acme"
title = "Acme"
version = "1.0.0"
description = "Pages."
"#;
const REMOTE: &str = r#"
[[backends]]
kind = "remote"
url = "https://mcp.acme.example/mcp"
"#;
const API: &str = r#"
[[backends]]
kind = "openapi"
base_url = "https://api.acme.example"
auth = { class = "api_key" }
"#;

fn tool(rest: &str) -> String {
    format!("{HEAD}{API}\n[[backends.tools]]\nname = \"get\"\ndescription = \"Gets.\"\n{rest}")
}

#[test]
fn each_problem_says_where_it_is_and_what_to_write() {
    let remote = |rest: &str| format!("{HEAD}{REMOTE}{rest}");
    let root = |rest: &str| format!("{HEAD}{rest}{REMOTE}");
    let cases = [
        ("not TOML", "name = \n".to_owned()),
        ("empty", String::new()),
        ("no backends", HEAD.to_owned()),
        (
            "several at once",
            format!(
                "nmae = \"acme\"\ntitle = 1\nversion = \"one\"\ncategories = [\"docs\", \"taks\"]\n{REMOTE}colour = \"red\"\n"
            ),
        ),
        ("kinds of other programs", root("[[backends]]\ntype = \"http\"\n")),
        ("a kind that is none", root("[[backends]]\nkind = \"graphq\"\n")),
        ("keys of another kind", remote("command = \"npx\"\nargs = []\n")),
        ("no url", root("[[backends]]\nkind = \"remote\"\nname = \"a\"\n")),
        ("url is none", root("[[backends]]\nkind = \"remote\"\nname = \"a\"\nurl = \"mcp.acme.example\"\n")),
        ("header names", remote("headers = { \"a b\" = \"c\" }\n")),
        ("two backends of a name", remote(REMOTE)),
        (
            "one endpoint of two",
            remote(
                "[backends.auth]\nclass = \"preregistered\"\ntoken_endpoint = \"https://a.example/token\"\n",
            ),
        ),
        (
            "placeholders",
            remote(
                "headers = { A = \"${config.sit}\", B = \"${credential}\", C = \"${HOME}\", D = \"${config.x\" }\n[config.site]\ntype = \"string\"\ntitle = \"Site\"\n",
            ),
        ),
        (
            "packages",
            root(
                "[[backends]]\nkind = \"stdio\"\npackage = \"npm:server\"\n[[backends]]\nkind = \"stdio\"\nname = \"b\"\npackage = \"mcpb:https://a.example/a.mcpb\"\n[[backends]]\nkind = \"stdio\"\nname = \"c\"\npackage = \"pypi:a==1\"\ncommand = \"a\"\n[[backends]]\nkind = \"stdio\"\nname = \"d\"\ndigest = \"sha256:12\"\n",
            ),
        ),
        (
            "a credential that goes nowhere",
            root("[[backends]]\nkind = \"stdio\"\ncommand = \"acme\"\nauth = { class = \"api_key\" }\n"),
        ),
        (
            "auth",
            remote(
                "[backends.auth]\nclass = \"apikey\"\nalternatives = [\"oauth\"]\nscopes = []\nin = \"query\"\nvalue = \"Bearer\"\n",
            ),
        ),
        (
            "auth without a credential",
            remote(
                "[backends.auth]\nclass = \"dynamic_registration\"\nvalue = \"Bearer ${credential}\"\ncredential = { title = \"Key\", pattern = \"(\" }\n",
            ),
        ),
        (
            "limits",
            remote(
                "[backends.limits]\nrate = \"3 per second\"\ntimeout = 30\nmax_result = \"2 MB\"\nidempotency_header = \"a b\"\n",
            ),
        ),
        ("network", remote("[backends.network]\nallow = [\"https://a.example/\"]\n")),
        (
            "a host that is not allowed",
            remote("[backends.network]\nallow = [\"acme.example\", \"*.other.example\"]\n"),
        ),
        (
            "tools of an API without a URL",
            root(
                "[[backends]]\nkind = \"openapi\"\ndescription = \"a.yaml\"\n[[backends.tools]]\nname = \"a\"\nclass = \"read\"\ndescription = \"A\"\nrequest = \"GET /a\"\n",
            ),
        ),
        (
            "health",
            tool(
                "class = \"read\"\nrequest = \"GET /v1\"\n\n[backends.health]\ntool = \"gte\"\naccount = \".a |\"\n",
            ),
        ),
        ("health with both", remote("[backends.health]\ntool = \"a\"\nrequest = \"POST /v1\"\n")),
        (
            "config",
            root(
                "[config.Site]\ntype = \"text\"\ntitle = \"Site\"\n[config.a]\ntype = \"secret\"\ntitle = \"A\"\ndefault = \"x\"\n[config.b]\ntype = \"choice\"\ntitle = \"B\"\n[config.c]\ntype = \"number\"\ntitle = \"C\"\nmin = 3\ndefault = 2\npattern = \"a\"\n[config.d]\ntype = \"string\"\ntitle = \"D\"\npattern = \"[\"\nmultiple = true\n",
            ),
        ),
        (
            "names of tools",
            remote(
                "[[backends.tools]]\nname = \"Get Page\"\n[[backends.tools]]\nname = \"a\"\n[[backends.tools]]\nname = \"a\"\n",
            ),
        ),
        (
            "keys of direct tools",
            remote(
                "[[backends.tools]]\nname = \"a\"\nrequest = \"GET /v1\"\ndocument = \"query\"\n[backends.tools.input.a]\ntype = \"string\"\ndescription = \"A\"\n",
            ),
        ),
        ("a tool without class", tool("request = \"GET /v1\"\n")),
        ("a tool without request", tool("class = \"read\"\n")),
        ("a request that is none", tool("class = \"read\"\nrequest = \"/v1/pages\"\n")),
        (
            "path without an argument",
            tool(
                "class = \"read\"\nrequest = \"GET /v1/{id}/{part}\"\n[backends.tools.input.page]\ntype = \"string\"\ndescription = \"A\"\nas = \"id\"\n",
            ),
        ),
        (
            "argument without a path",
            tool(
                "class = \"read\"\nrequest = \"GET /v1\"\n[backends.tools.input.page]\ntype = \"string\"\ndescription = \"A\"\nin = \"path\"\n",
            ),
        ),
        (
            "two arguments of a place",
            tool(
                "class = \"read\"\nrequest = \"GET /v1\"\n[backends.tools.input.a]\ntype = \"string\"\ndescription = \"A\"\nas = \"x\"\n[backends.tools.input.b]\ntype = \"string\"\ndescription = \"A\"\nas = \"x\"\n",
            ),
        ),
        (
            "arguments",
            tool(
                "class = \"read\"\nrequest = \"GET /v1\"\nfixed = { b = 1 }\ndefaults = { c = 1 }\n[backends.tools.input.a]\n[backends.tools.input.b]\ntype = \"text\"\ndescription = \"B\"\nrequierd = true\nschema = {}\n",
            ),
        ),
        (
            "filters",
            tool("class = \"read\"\nrequest = \"GET /v1\"\nresult = \".a | mpa(.b)\"\nbody = \"{\"\n"),
        ),
        (
            "paging",
            tool(
                "class = \"read\"\nrequest = \"GET /v1\"\npaging = { cursor = \"after\", max_size = 0 }\n[backends.tools.input.cursor]\ntype = \"string\"\ndescription = \"C\"\n",
            ),
        ),
        ("an API without tools", format!("{HEAD}{API}")),
        ("an API without a URL", root("[[backends]]\nkind = \"openapi\"\nname = \"a\"\n")),
        (
            "a document without tools",
            root(
                "[[backends]]\nkind = \"graphql\"\nurl = \"https://a.example\"\n[[backends.tools]]\nname = \"a\"\nclass = \"read\"\ndescription = \"A\"\n",
            ),
        ),
        (
            "tests",
            format!(
                "{}\n[[tests]]\ntool = \"gte\"\nexpect = \"true\"\n",
                tool("class = \"read\"\nrequest = \"GET /v1\"\n")
            ),
        ),
        (
            "built-in",
            root(
                "[[backends]]\nkind = \"builtin\"\nbuiltin = \"file\"\n[[backends]]\nkind = \"builtin\"\nname = \"b\"\n",
            ),
        ),
    ];
    let said: Vec<String> = cases
        .iter()
        .map(|(name, text)| match ConnectorManifest::parse(text, "acme.toml") {
            Ok(_) => panic!("{name}: it was read"),
            Err(error) => format!("# {name}\n{error}"),
        })
        .collect();
    insta::assert_snapshot!(said.join("\n\n"));
}

#[test]
fn no_problem_quotes_a_secret() {
    let text = format!(
        "{HEAD}{REMOTE}headers = {{ Authorization = \"Bearer s3cret ${{\" }}\n[config.a]\ntype = \"secret\"\ntitle = \"A\"\ndefault = \"s3cret\"\n"
    );
    let error = ConnectorManifest::parse(&text, "acme.toml").expect_err("two problems").to_string();
    assert!(!error.contains("s3cret") && error.lines().count() == 2, "{error}");
}
