//! Credentials in each place.

use bytes::Bytes;
use http::Request;
use loggia_openapi::{Api, SecurityScheme};
use serde_json::{Value, json};

#[test]
fn credentials_go_to_their_place() {
    let api = Api::read(
        json!({
            "openapi": "3.1.0", "info": {}, "paths": {},
            "components": { "securitySchemes": {
                "header": { "type": "apiKey", "in": "header", "name": "X-Key" },
                "query": { "type": "apiKey", "in": "query", "name": "key" },
                "cookie": { "type": "apiKey", "in": "cookie", "name": "sid" },
                "basic": { "type": "http", "scheme": "Basic" },
                "bearer": { "type": "http", "scheme": "bearer" },
                "oauth": { "type": "oauth2", "flows": { "authorizationCode": { "authorizationUrl": "https://a.example/authorize", "tokenUrl": "https://a.example/token", "scopes": { "read": "Reads" } } } },
                "openid": { "type": "openIdConnect", "openIdConnectUrl": "https://a.example/.well-known/openid-configuration" },
                "other": { "type": "mutualTLS" },
            } },
        })
        .to_string()
        .as_bytes(),
    )
    .expect("a description");
    let request = || Request::get("https://api.example/x?a=1").body(Bytes::new()).expect("a request");
    let mut seen = Vec::new();
    for (name, scheme) in api.security_schemes() {
        let mut request = request();
        let outcome = scheme.authorize(&mut request, "k:e y");
        let headers: Vec<String> = request
            .headers()
            .iter()
            .map(|(name, value)| {
                format!(
                    "{name}={} {}",
                    value.to_str().expect("text"),
                    if value.is_sensitive() { "sensitive" } else { "" }
                )
            })
            .collect();
        let error = outcome.err().map(|error| error.to_string()).unwrap_or_default();
        seen.push(format!("{name}: {scheme}; {} {headers:?} {error}", request.uri()));
    }
    insta::assert_snapshot!(seen.join("\n"));
    let broken = SecurityScheme::Bearer
        .authorize(&mut request(), "s3cret\n")
        .expect_err("no header can hold it")
        .to_string();
    assert!(!broken.contains("s3cret"), "{broken}");
}

#[test]
fn requirements_of_an_operation_replace_those_of_the_api() {
    let api = Api::read(
        json!({
            "openapi": "3.1.0", "info": {}, "security": [{ "a": ["x"] }, { "b": [], "c": [] }],
            "paths": { "/": { "get": { "operationId": "of_all" }, "post": { "operationId": "open", "security": [] } } },
        })
        .to_string()
        .as_bytes(),
    )
    .expect("a description");
    let names = |name: &str| -> Vec<Vec<String>> {
        let security = api.operation(name).expect("it is there").security();
        security
            .iter()
            .map(|all| all.iter().map(|one| format!("{} {}", one.scheme, one.scopes.join(","))).collect())
            .collect()
    };
    assert_eq!(names("of_all"), [vec!["a x".to_owned()], vec!["b ".to_owned(), "c ".to_owned()]]);
    assert!(names("open").is_empty());
}

/// A scheme of OpenAPI 3, and the URLs and scopes that are read from it.
#[test]
fn flows_of_oauth_are_one_scheme() {
    let flow = |urls: Value, scopes: Value| {
        let mut flow = urls;
        flow["scopes"] = scopes;
        flow
    };
    let authorize = "https://a.example/authorize";
    let token = "https://a.example/token";
    let table = [
        (
            json!({ "implicit": flow(json!({ "authorizationUrl": authorize }), json!({ "r": "Reads" })) }),
            Some(authorize),
            None,
            vec!["r"],
        ),
        (json!({ "password": flow(json!({ "tokenUrl": token }), json!({})) }), None, Some(token), vec![]),
        (
            json!({ "clientCredentials": flow(json!({ "tokenUrl": token }), json!({ "w": "" })) }),
            None,
            Some(token),
            vec!["w"],
        ),
        (
            json!({
                "clientCredentials": flow(json!({ "tokenUrl": token }), json!({ "r": "Reads", "w": "Writes" })),
                "authorizationCode": flow(json!({ "authorizationUrl": authorize, "tokenUrl": token }), json!({ "r": "Reads" })),
            }),
            Some(authorize),
            Some(token),
            vec!["r", "w"],
        ),
        (json!({}), None, None, vec![]),
    ];
    for (flows, expected_authorize, expected_token, expected_scopes) in table {
        let scheme = json!({ "type": "oauth2", "flows": flows });
        let description = json!({ "openapi": "3.0.3", "components": { "securitySchemes": { "o": scheme } } });
        let api = Api::read(description.to_string().as_bytes()).expect("a description");
        let [(_, SecurityScheme::OAuth2 { authorization_url, token_url, scopes })] = api.security_schemes()
        else {
            panic!("{:?}", api.security_schemes());
        };
        let names: Vec<&str> = scopes.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(authorization_url.as_deref(), expected_authorize, "{flows}");
        assert_eq!((token_url.as_deref(), names), (expected_token, expected_scopes), "{flows}");
    }
}
