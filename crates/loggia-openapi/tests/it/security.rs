//! Credentials in each place.

use bytes::Bytes;
use http::Request;
use loggia_openapi::{Api, SecurityScheme};
use serde_json::json;

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
