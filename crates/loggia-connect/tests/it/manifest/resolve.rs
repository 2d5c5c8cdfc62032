//! Manifests with the values of their users.

use loggia_connect::config_file::Backend;
use loggia_connect::manifest::{ConnectorManifest, ResolvedBackend};
use loggia_connect::secret::Secret;
use serde_json::{Map, Value, json};

const CONFIG: &str = r#"
[config.site]
type = "string"
title = "Site"
required = true
pattern = "^[a-z]+$"
[config.region]
type = "choice"
title = "Region"
choices = ["eu", "us"]
default = "eu"
[config.limit]
type = "number"
title = "Limit"
min = 1
max = 10
[config.folders]
type = "folder"
title = "Folders"
multiple = true
[config.key]
type = "secret"
title = "Key"
[config.on]
type = "boolean"
title = "On"
"#;

fn manifest(backend: &str) -> ConnectorManifest {
    let text = format!(
        "name = \"acme\"\ntitle = \"Acme\"\nversion = \"1.0.0\"\ndescription = \"D.\"\n{CONFIG}\n[[backends]]\n{backend}\n"
    );
    ConnectorManifest::parse(&text, "acme.toml").unwrap_or_else(|error| panic!("{error}"))
}

fn object(value: Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap()
}

/// Writes a backend with its secrets, for the test alone.
fn shown(resolved: &ResolvedBackend) -> String {
    let map = |map: &std::collections::BTreeMap<String, Secret>| {
        let texts: Vec<String> =
            map.iter().map(|(name, value)| format!("{name}={}", value.expose())).collect();
        texts.join(" ")
    };
    let list =
        |list: &[Secret]| list.iter().map(|value| value.expose().to_owned()).collect::<Vec<_>>().join(" ");
    match resolved {
        ResolvedBackend::Configured(Backend::Remote(remote)) => {
            format!("remote {} [{}] {:?}", remote.url.expose(), map(&remote.headers), remote.transport)
        }
        ResolvedBackend::Configured(Backend::Stdio(stdio)) => {
            let cwd = stdio.cwd.as_ref().map_or("", |cwd| cwd.expose());
            format!("stdio {} {} [{}] {cwd}", stdio.command.expose(), list(&stdio.args), map(&stdio.env))
        }
        ResolvedBackend::Configured(Backend::OpenApi(api)) => format!(
            "openapi {} {} [{}] {}",
            api.description.expose(),
            api.base_url.as_ref().map_or("", |url| url.expose()),
            map(&api.headers),
            api.credential.as_ref().map_or("", |credential| credential.expose())
        ),
        ResolvedBackend::Configured(Backend::Builtin(builtin)) => format!(
            "{} {} {} {}",
            builtin.kind.as_str(),
            builtin.text("path").unwrap_or_default(),
            builtin.flag("write"),
            builtin.flag("write_sensitive")
        ),
        ResolvedBackend::Configured(Backend::Manifest(used)) => panic!("a manifest in a manifest: {used:?}"),
        ResolvedBackend::Direct => "direct".to_owned(),
        ResolvedBackend::Bundle(bundle) => {
            format!("bundle {} {} [{}]", bundle.url, list(&bundle.args), map(&bundle.env))
        }
    }
}

#[test]
fn backends_take_the_values_of_the_user() {
    let digest = format!("sha256:{}", "0".repeat(64));
    let all = json!({ "site": "acme", "limit": 3, "folders": ["/a", "/b c"], "key": "k3y", "on": true });
    let site = json!({ "site": "acme" });
    for (backend, config, credential, expected) in [
        (
            "kind = \"remote\"\nurl = \"https://${config.site}.example/mcp?r=${config.region}\"\nheaders = { A = \"${config.key}$${x}\" }\ntransport = \"auto\"",
            &all,
            None,
            "remote https://acme.example/mcp?r=eu [A=k3y${x}] Auto",
        ),
        (
            "kind = \"remote\"\nurl = \"https://a.example\"\nauth = { class = \"api_key\" }",
            &site,
            Some("c"),
            "remote https://a.example [Authorization=Bearer c] Streamable",
        ),
        (
            "kind = \"remote\"\nurl = \"https://a.example\"\nauth = { class = \"basic\" }",
            &site,
            Some("u:p"),
            "remote https://a.example [Authorization=Basic dTpw] Streamable",
        ),
        (
            "kind = \"remote\"\nurl = \"https://a.example\"\nauth = { class = \"api_key\", in = \"query\", name = \"key\" }",
            &site,
            Some("a b"),
            "remote https://a.example?key=a%20b [] Streamable",
        ),
        (
            "kind = \"remote\"\nurl = \"https://a.example\"\nauth = { class = \"dynamic_registration\", alternatives = [\"api_key\"] }",
            &site,
            Some("c"),
            "remote https://a.example [Authorization=Bearer c] Streamable",
        ),
        (
            "kind = \"remote\"\nurl = \"https://a.example\"\nauth = { class = \"dynamic_registration\" }",
            &site,
            None,
            "remote https://a.example [] Streamable",
        ),
        (
            "kind = \"stdio\"\npackage = \"npm:@a/b@1.2.3\"\nargs = [\"--limit=${config.limit}\", \"${config.folders}\"]\nenv = { T = \"${credential}\" }\nauth = { class = \"api_key\" }",
            &all,
            Some("c"),
            "stdio npx -y @a/b@1.2.3 --limit=3 /a /b c [T=c] ",
        ),
        (
            "kind = \"stdio\"\npackage = \"npm:b@1.2.3\"\nargs = [\"${config.folders}\", \"${config.limit}\"]",
            &site,
            None,
            "stdio npx -y b@1.2.3 [] ",
        ),
        (
            "kind = \"stdio\"\npackage = \"pypi:a[x]==1.0\"\ncwd = \"/srv/${config.site}\"",
            &site,
            None,
            "stdio uvx --from a[x]==1.0 a [] /srv/acme",
        ),
        (
            &format!(
                "kind = \"stdio\"\npackage = \"oci:ghcr.io/a/b:1\"\ndigest = \"{digest}\"\nenv = {{ K = \"${{config.key}}\" }}"
            ),
            &all,
            None,
            &format!("stdio docker run -i --rm -e K ghcr.io/a/b:1@{digest} [K=k3y] "),
        ),
        (
            &format!(
                "kind = \"stdio\"\npackage = \"mcpb:https://a.example/a.mcpb\"\ndigest = \"{digest}\"\nargs = [\"${{config.site}}\"]"
            ),
            &site,
            None,
            "bundle https://a.example/a.mcpb acme []",
        ),
        ("kind = \"stdio\"\ncommand = \"/opt/${config.site}\"", &site, None, "stdio /opt/acme  [] "),
        (
            "kind = \"remote\"\nurl = \"https://a.example\"\nheaders = { A = \"${config.key}\", B = \"b\" }",
            &site,
            None,
            "remote https://a.example [B=b] Streamable",
        ),
        (
            "kind = \"openapi\"\ndescription = \"https://a.example/openapi.json\"\nbase_url = \"https://${config.site}.example\"\nauth = { class = \"api_key\" }",
            &site,
            Some("c"),
            "openapi https://a.example/openapi.json https://acme.example [] c",
        ),
        ("kind = \"graphql\"\nurl = \"https://a.example\"", &site, None, "direct"),
        (
            "kind = \"builtin\"\nbuiltin = \"files\"\noptions = { path = \"/${config.site}\", write = \"${config.on}\" }",
            &all,
            None,
            "files /acme true false",
        ),
    ] {
        let manifest = manifest(backend);
        let values = manifest.values(config.as_object().unwrap(), credential.map(Secret::new)).unwrap();
        let resolved =
            manifest.backends[0].resolve(&values).unwrap_or_else(|error| panic!("{backend}: {error}"));
        assert_eq!(shown(&resolved), expected, "{backend}");
        assert!(!format!("{resolved:?}{values:?}").contains("k3y"), "{backend}");
    }
}

#[test]
fn values_that_do_not_fit_say_how_to_write_them() {
    let manifest = manifest("kind = \"remote\"\nurl = \"https://a.example\"");
    for (config, expected) in [
        (json!({}), "site: a value is needed: Site"),
        (json!({ "site": "A-1" }), "site: it must match ^[a-z]+$"),
        (json!({ "site": 1 }), "site: a text is needed"),
        (json!({ "site": null }), "site: a value is needed: Site"),
        (json!({ "site": "a", "sites": "b" }), "sites: there is no such value; did you mean 'site'?"),
        (json!({ "site": "a", "region": "asia" }), "region: it is one of eu, us"),
        (json!({ "site": "a", "limit": 0 }), "limit: the least value is 1"),
        (json!({ "site": "a", "limit": 10.5 }), "limit: the greatest value is 10"),
        (json!({ "site": "a", "limit": "3" }), "limit: a number is needed"),
        (json!({ "site": "a", "on": "yes" }), "on: true or false is needed"),
        (json!({ "site": "a", "folders": ["/a", 1] }), "folders: a text is needed"),
        (
            json!({ "limit": 0, "on": 1 }),
            "site: a value is needed: Site\nlimit: the least value is 1\non: true or false is needed",
        ),
    ] {
        let problems = manifest.values(&object(config.clone()), None).expect_err(&config.to_string());
        let said: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(said.join("\n"), expected, "{config}");
    }
}

#[test]
fn a_backend_says_which_value_it_misses() {
    for (backend, config, credential, expected) in [
        (
            "kind = \"remote\"\nurl = \"https://${config.site}.evil\"\nnetwork = { allow = [\"*.acme.example\"] }",
            json!({ "site": "a" }),
            None,
            "url: with the values filled in, its host is not in network.allow",
        ),
        (
            "kind = \"openapi\"\ndescription = \"https://a.example/api.json\"\nbase_url = \"https://${config.site}.evil\"\nnetwork = { allow = [\"*.acme.example\"] }",
            json!({ "site": "a" }),
            None,
            "base_url: with the values filled in, its host is not in network.allow",
        ),
        (
            "kind = \"openapi\"\ndescription = \"https://a.example/api.json\"\nnetwork = { allow = [\"*.acme.example\"] }",
            json!({ "site": "a" }),
            None,
            "base_url: with the values filled in, it is needed beside network.allow",
        ),
        (
            "kind = \"remote\"\nurl = \"https://a.example\"\nheaders = { A = \"x${config.key}\" }",
            json!({ "site": "a" }),
            None,
            "the value 'key' is missing",
        ),
        (
            "kind = \"remote\"\nurl = \"https://a.example\"\nauth = { class = \"api_key\" }",
            json!({ "site": "a" }),
            None,
            "the value 'credential' is missing",
        ),
        (
            "kind = \"remote\"\nurl = \"${config.key}\"",
            json!({ "site": "a", "key": "s3cret" }),
            None,
            "url: with the values filled in, it is no whole URL",
        ),
        (
            "kind = \"remote\"\nurl = \"https://a.example\"\nheaders = { A = \"x${config.key}\" }",
            json!({ "site": "a", "key": "s3\ncret" }),
            None,
            "headers.A: with the values filled in, it has characters that no header can hold",
        ),
        (
            "kind = \"remote\"\nurl = \"https://a.example\"\nauth = { class = \"api_key\", credential = { title = \"an integration secret\", description = \"starts with ntn_\", pattern = \"^ntn_\" } }",
            json!({ "site": "a" }),
            Some("s3cret"),
            "this does not look like an integration secret: starts with ntn_",
        ),
        (
            "kind = \"builtin\"\nbuiltin = \"files\"\noptions = { paths = \"/\" }",
            json!({ "site": "a" }),
            None,
            "options.paths: with the values filled in, there is no such option",
        ),
    ] {
        let manifest = manifest(backend);
        let values = manifest.values(&object(config), credential.map(Secret::new)).unwrap();
        let error = manifest.backends[0].resolve(&values).expect_err(backend).to_string();
        assert_eq!(error, expected, "{backend}");
    }
}
