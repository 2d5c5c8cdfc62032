//! The settings of a server's tools, over definitions, arguments and results.

use loggia::model::{CallToolResult, Tool};
use loggia::wire::JsonObject;
use loggia_connect::filter::FilterRunner;
use loggia_connect::manifest::{ConnectorManifest, ToolSettings};
use serde_json::{Map, Value, json};

const SERVER: &str = r#"{"name":"acme-search","title":"Old","description":"Old.","inputSchema":{"type":"object","properties":{
    "query":{"type":"string"},"page_id":{"type":"string","description":"P"},"workspace":{"type":"string"},"size":{"type":"integer"}},
    "required":["query","page_id","workspace","size"]},"outputSchema":{"type":"object"},
    "annotations":{"idempotentHint":true,"destructiveHint":true},"x":1}"#;

fn settings(rest: &str) -> ToolSettings {
    let text = format!(
        "name = \"acme\"\ntitle = \"Acme\"\nversion = \"1.0.0\"\ndescription = \"D.\"\n[config.site]\ntype = \"string\"\n\
         title = \"Site\"\ndefault = \"home\"\n[[backends]]\nkind = \"remote\"\nurl = \"https://a.example\"\n\
         [[backends.tools]]\nname = \"search\"\nfrom = \"acme-search\"\n{rest}"
    );
    let manifest = ConnectorManifest::parse(&text, "acme.toml").unwrap_or_else(|error| panic!("{error}"));
    let values = manifest.values(&Map::new(), None).unwrap();
    manifest.backends[0].tool_settings(&values).unwrap().remove(0)
}

fn server() -> Tool {
    serde_json::from_str(SERVER).unwrap()
}

fn value(of: &impl serde::Serialize) -> Value {
    serde_json::to_value(of).unwrap()
}

#[test]
fn a_definition_is_described_otherwise() {
    let plain = value(&settings("").definition(&server()));
    let mut renamed = value(&server());
    renamed["name"] = json!("search");
    assert_eq!(plain, renamed, "nothing else changes");
    let settings = settings(
        "title = \"Search\"\ndescription = \"New.\"\nclass = \"read\"\nfixed = { workspace = \"${config.site}\" }\n\
         rename = { page = \"page_id\" }\ndefaults = { size = 20 }\nresult = \".a\"",
    );
    let tool = value(&settings.definition(&server()));
    assert_eq!((&tool["title"], &tool["description"]), (&json!("Search"), &json!("New.")));
    assert_eq!(tool["annotations"]["readOnlyHint"], json!(true));
    assert_eq!(
        (&tool["annotations"]["destructiveHint"], &tool["outputSchema"]),
        (&Value::Null, &Value::Null)
    );
    assert_eq!(
        tool["inputSchema"],
        json!({
            "type": "object",
            "properties": { "query": { "type": "string" }, "page": { "type": "string", "description": "P" }, "size": { "type": "integer", "default": 20 } },
            "required": ["query", "page"],
        })
    );
}

#[test]
fn arguments_are_those_of_the_server() {
    let all = "fixed = { workspace = \"${config.site}\" }\nrename = { page = \"page_id\" }\ndefaults = { size = 20, page = \"root\" }";
    for (rest, given, expected) in [
        ("", json!({ "a": 1.50 }), Ok(json!({ "a": 1.50 }))),
        (
            all,
            json!({ "query": "q" }),
            Ok(json!({ "query": "q", "page_id": "root", "size": 20, "workspace": "home" })),
        ),
        (
            all,
            json!({ "page": "p", "size": 1 }),
            Ok(json!({ "page_id": "p", "size": 1, "workspace": "home" })),
        ),
        (all, json!({ "workspace": "other" }), Err("search takes no argument \"workspace\"".to_owned())),
        (all, json!({ "page_id": "p" }), Err("search takes no argument \"page_id\"".to_owned())),
    ] {
        let given: JsonObject = given.to_string().parse().unwrap();
        let arguments = settings(rest).arguments(&given).map(|arguments| Value::Object(arguments.to_map()));
        assert_eq!(arguments, expected, "{given:?}");
    }
}

#[tokio::test]
async fn results_are_shaped() {
    let filters = FilterRunner::default();
    let shaped = "result = \".items | map(.id)\"";
    let text = |text: &str| json!({ "content": [{ "type": "text", "text": text }] });
    let image = json!({ "type": "image", "data": "eA==", "mimeType": "image/png" });
    for (rest, result, expected) in [
        ("", text("{\"items\":[]}"), text("{\"items\":[]}")),
        (shaped, text("{\"items\":[{\"id\":1.50}]}"), text("[1.50]")),
        (shaped, text("plain"), text("plain")),
        (
            shaped,
            json!({ "content": [{ "type": "text", "text": "T" }, image], "structuredContent": { "items": [{ "id": 1 }] } }),
            json!({ "content": [{ "type": "text", "text": "[1]" }, image] }),
        ),
        (
            "result = \"{n: .items}\"",
            json!({ "content": [], "structuredContent": { "items": 1 } }),
            json!({ "content": [{ "type": "text", "text": "{\"n\":1}" }], "structuredContent": { "n": 1 } }),
        ),
        (
            shaped,
            json!({ "content": [{ "type": "text", "text": "{\"items\":[]}" }], "isError": true }),
            json!({ "content": [{ "type": "text", "text": "{\"items\":[]}" }], "isError": true }),
        ),
        (
            shaped,
            text("{\"items\":1}"),
            json!({ "content": [{ "type": "text", "text": "search succeeded, but its result cannot be shown: the filter does not fit its input: cannot use 1 as iterable (array or object)" }], "isError": true }),
        ),
    ] {
        let result: CallToolResult = serde_json::from_value(result).unwrap();
        let mut shown = value(&settings(rest).result(result, &filters).await);
        shown.as_object_mut().unwrap().remove("resultType");
        assert_eq!(shown, expected, "{rest}");
    }
}

#[test]
fn a_tool_of_a_server_has_one_entry() {
    let text = "name = \"acme\"\ntitle = \"Acme\"\nversion = \"1.0.0\"\ndescription = \"D.\"\n[[backends]]\nkind = \"remote\"\n\
                url = \"https://a.example\"\n[[backends.tools]]\nname = \"a\"\nfrom = \"x\"\n[[backends.tools]]\nname = \"b\"\nfrom = \"x\"\n";
    let error = ConnectorManifest::parse(text, "acme.toml").unwrap_err();
    assert_eq!(error.to_string(), "acme.toml:13:8: the server's tool 'x' has an entry already");
}
