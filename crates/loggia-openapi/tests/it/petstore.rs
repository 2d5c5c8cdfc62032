//! The pet store of Swagger 2.0 as a whole: tools, requests and security.

use loggia_openapi::{Api, SecurityScheme};
use serde_json::{Value, json};

use crate::arguments;
use crate::files::assert_strict;

fn petstore() -> Api {
    let api = Api::read(include_bytes!("petstore.yaml")).expect("a description");
    assert_eq!(api.problems(), []);
    assert_eq!(api.base_url().expect("a server"), "https://petstore.swagger.io/v2");
    api
}

#[test]
fn each_operation_is_a_tool() {
    let api = petstore();
    let lines: Vec<String> = api
        .operations()
        .iter()
        .map(|operation| {
            let tool = operation.tool();
            assert_strict(&tool);
            let schema: Value = serde_json::from_str(tool.input_schema.as_str()).expect("JSON");
            let names: Vec<&String> = schema["properties"].as_object().expect("an object").keys().collect();
            let security: Vec<&str> =
                operation.security().iter().flatten().map(|required| required.scheme.as_str()).collect();
            format!(
                "{} {} {}: {names:?} required {} security {security:?}{}",
                operation.class(),
                operation.method(),
                operation.name(),
                schema["required"],
                if operation.is_deprecated() { " deprecated" } else { "" }
            )
        })
        .collect();
    insta::assert_snapshot!(lines.join("\n"));
}

/// Tool, arguments, path, media type and body.
#[test]
fn requests_of_the_store() {
    let api = petstore();
    let base = api.base_url().expect("a server");
    let json = Some("application/json");
    let table = [
        (
            "add_pet",
            json!({ "name": "Rex", "photoUrls": [] }),
            "/v2/pet",
            json,
            r#"{"name":"Rex","photoUrls":[]}"#,
        ),
        (
            "find_pets_by_status",
            json!({ "status": ["sold", "pending"] }),
            "/v2/pet/findByStatus?status=sold&status=pending",
            None,
            "",
        ),
        ("get_pet_by_id", json!({ "petId": 7 }), "/v2/pet/7", None, ""),
        (
            "update_pet_with_form",
            json!({ "petId": 7, "name": "a b" }),
            "/v2/pet/7",
            Some("application/x-www-form-urlencoded"),
            "name=a%20b",
        ),
        (
            "create_users_with_array_input",
            json!({ "body": [{ "id": 1 }] }),
            "/v2/user/createWithArray",
            json,
            r#"[{"id":1}]"#,
        ),
        ("delete_user", json!({ "username": "a/b" }), "/v2/user/a%2Fb", None, ""),
    ];
    for (name, given, path, media_type, body) in table {
        let operation = api.operation(name).expect(name);
        let request = operation.request(&base, &arguments(&given)).expect("a request");
        assert_eq!(request.uri().path_and_query().expect("a path").as_str(), path);
        let sent = request.headers().get("content-type").map(|value| value.to_str().expect("text"));
        assert_eq!((sent, request.body().as_ref()), (media_type, body.as_bytes()), "{name}");
    }
}

#[test]
fn security_of_the_store() {
    let api = petstore();
    let schemes: Vec<String> =
        api.security_schemes().iter().map(|(name, scheme)| format!("{name}: {scheme}")).collect();
    assert_eq!(
        schemes,
        ["petstore_auth: an OAuth 2.0 access token", "api_key: an API key in the header api_key"]
    );
    let SecurityScheme::OAuth2 { authorization_url, token_url, scopes } = &api.security_schemes()[0].1 else {
        panic!("{:?}", api.security_schemes());
    };
    assert_eq!(authorization_url.as_deref(), Some("https://petstore.swagger.io/oauth/authorize"));
    assert_eq!((token_url, scopes.len()), (&None, 2));
}
