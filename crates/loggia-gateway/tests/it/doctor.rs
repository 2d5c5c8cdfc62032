//! The doctor: a fault is planted in each layer, and the report names that layer and no other.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::{any, get, post};
use loggia_auth::secret::Secret;
use loggia_auth::store::{FileStore, TokenStore};
use loggia_gateway::ConnectorContext;
use loggia_gateway::doctor::{ConnectorDiagnosis, Doctor, DoctorLayer, LayerState, PreflightState, Remedy};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::world::{NOTES, World};

const AUTHORITY: &[u8] = include_bytes!("../../../loggia/tests/it/data/authority.pem");
const CERTIFICATE: &[u8] = include_bytes!("../../../loggia/tests/it/data/localhost.pem");
const KEY: &[u8] = include_bytes!("../../../loggia/tests/it/data/localhost.key");

/// The time limit of an examination in a test: longer than anything but a defect.
const LIMIT: Duration = Duration::from_secs(60);

async fn listener() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address").to_string();
    (listener, address)
}

/// Serves `router` and returns its URL.
async fn serve(router: impl FnOnce(&str) -> Router) -> String {
    let (listener, address) = listener().await;
    let url = format!("http://{address}");
    let router = router(&url);
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

/// The fault of a server that asks for authorization.
#[derive(Clone, Copy, PartialEq, Eq)]
enum AuthorizationFault {
    WrongIssuer,
    NoPkce,
    NoRegistration,
    RefusedRenewal,
    BusyTokenEndpoint,
}

/// Serves a server that asks for authorization, with its authorization server.
async fn protected(fault: AuthorizationFault) -> String {
    use AuthorizationFault::{BusyTokenEndpoint, NoPkce, NoRegistration, WrongIssuer};
    let router = |url: &str| {
        let challenge =
            format!("Bearer resource_metadata=\"{url}/.well-known/oauth-protected-resource/mcp\"");
        let refusal = move || {
            std::future::ready((StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, challenge.clone())]))
        };
        let resource = json!({ "resource": format!("{url}/mcp"), "authorization_servers": [url] });
        let issuer = if fault == WrongIssuer { "http://127.0.0.1:9/elsewhere" } else { url };
        let mut metadata = json!({
            "issuer": issuer,
            "authorization_endpoint": format!("{url}/authorize"),
            "token_endpoint": format!("{url}/token"),
            "response_types_supported": ["code"],
            "code_challenge_methods_supported": if fault == NoPkce { json!([]) } else { json!(["S256"]) },
        });
        if fault != NoRegistration {
            metadata["registration_endpoint"] = json!(format!("{url}/register"));
        }
        let document = |document: Value| get(move || std::future::ready(axum::Json(document)));
        let token = move || async move {
            match fault {
                BusyTokenEndpoint => StatusCode::SERVICE_UNAVAILABLE.into_response(),
                _ => {
                    (StatusCode::BAD_REQUEST, axum::Json(json!({ "error": "invalid_grant" }))).into_response()
                }
            }
        };
        Router::new()
            .route("/mcp", any(refusal))
            .route("/token", post(token))
            .route("/.well-known/oauth-protected-resource/mcp", document(resource))
            .route("/.well-known/oauth-authorization-server", document(metadata))
    };
    serve(router).await
}

/// Saves an expired credential with a refresh token for the server at `url`.
async fn save_expired(world: &World, url: &str) {
    let store = FileStore::open(world.path().join("gateway")).expect("a store");
    let credential = json!({
        "issuer": url, "resource": format!("{url}/mcp"), "client": { "client_id": "c", "method": "none" },
        "access_token": "old", "refresh_token": "older", "obtained_at": 1000, "expires_at": 2000,
    });
    let key = format!("credential/{url}/mcp");
    let saved = store.save(&key, Secret::new(credential.to_string()), None, None);
    saved.await.expect("saved").expect("there was none");
}

/// Serves TLS with a certificate of an authority that is unknown, and closes each connection after the handshake.
async fn serve_tls() -> String {
    let (listener, address) = listener().await;
    let chain =
        CertificateDer::pem_slice_iter(CERTIFICATE).collect::<Result<Vec<_>, _>>().expect("certificates");
    let key = PrivateKeyDer::from_pem_slice(KEY).expect("a key");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config =
        config.expect("versions").with_no_client_auth().with_single_cert(chain, key).expect("a pair");
    let acceptor = TlsAcceptor::from(Arc::new(config));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // A client that does not accept the certificate ends the handshake.
            let _ = acceptor.accept(stream).await;
        }
    });
    format!("https://localhost:{}/mcp", address.rsplit_once(':').expect("a port").1)
}

/// Serves a server of 2025-11-25: it knows no `server/discover`.
async fn serve_legacy() -> String {
    let answer = |body: String| async move {
        let request: Value = serde_json::from_str(&body).unwrap_or_default();
        let error = json!({ "code": -32601, "message": "Method not found" });
        axum::Json(json!({ "jsonrpc": "2.0", "id": request["id"], "error": error }))
    };
    serve(move |_| Router::new().route("/mcp", post(answer))).await + "/mcp"
}

fn doctor(world: &World, text: &str) -> Doctor {
    let context = ConnectorContext::new(world.credentials("gateway"));
    Doctor::new(world.config(text).expect("a configuration"), context).timeout(LIMIT)
}

fn remote(url: &str) -> String {
    format!("[connectors.one]\nkind = \"remote\"\nurl = \"{url}\"\n")
}

fn stdio(command: &str) -> String {
    format!("[connectors.one]\nkind = \"stdio\"\ncommand = \"{command}\"\n")
}

/// Checks that one layer failed and has a next step, that those before it did not fail, and that no later one was tried.
fn assert_fails_at(diagnosis: &ConnectorDiagnosis, layer: DoctorLayer, reason: &str) {
    let layers: Vec<DoctorLayer> = diagnosis.layers.iter().map(|report| report.layer).collect();
    assert_eq!(layers, DoctorLayer::ALL, "{diagnosis}");
    let failed: Vec<DoctorLayer> = diagnosis
        .layers
        .iter()
        .filter(|report| matches!(report.state, LayerState::Failed(_)))
        .map(|report| report.layer)
        .collect();
    assert_eq!(failed, [layer], "{diagnosis}");
    let (_, failure) = diagnosis.failure().expect("a failure");
    assert!(failure.reason.contains(reason), "{reason:?} is not in:\n{diagnosis}");
    assert!(failure.next_step.is_some(), "{diagnosis}");
    let after = diagnosis.layers.iter().skip_while(|report| report.layer != layer).skip(1);
    for report in after {
        assert!(
            matches!(report.state, LayerState::NotTried(_)),
            "{:?} was tried:\n{diagnosis}",
            report.layer
        );
    }
    let json = diagnosis.to_json();
    assert_eq!(json["failedLayer"], layer.as_str());
    assert_eq!(json["layers"].as_array().map(Vec::len), Some(DoctorLayer::ALL.len()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_is_named_by_its_layer() {
    use AuthorizationFault::{NoPkce, NoRegistration, RefusedRenewal, WrongIssuer};
    let world = World::new();
    let (closed, closed_address) = listener().await;
    drop(closed);
    let empty = serve(|_| Router::new()).await;
    let page = serve(|_| Router::new().route("/mcp", any(|| async { axum::response::Html("hello") }))).await;
    let broken = serve(|_| Router::new().route("/mcp", any(|| async { StatusCode::BAD_GATEWAY }))).await;
    let expired = protected(RefusedRenewal).await;
    save_expired(&world, &expired).await;
    let wrong_issuer = protected(WrongIssuer).await;
    let (no_pkce, no_registration) = (protected(NoPkce).await, protected(NoRegistration).await);
    let (tls, legacy) = (serve_tls().await, serve_legacy().await);
    let protocol = "protocol = \"2026-07-28\"\n";
    let header = "headers = { Authorization = \"Bearer wrong\" }\n";
    let files = |path: &str| {
        format!("[connectors.one]\nkind = \"builtin\"\nname = \"files\"\noptions = {{ path = \"{path}\" }}\n")
    };
    let cases = [
        (remote("https://x.example/${LOGGIA_NOT_SET}"), DoctorLayer::Configuration, "LOGGIA_NOT_SET"),
        (files("denied"), DoctorLayer::Configuration, "denied cannot be read"),
        (files("note.txt"), DoctorLayer::Configuration, "note.txt cannot be read"),
        (stdio("loggia-no-such-runner"), DoctorLayer::Runner, "loggia-no-such-runner"),
        (stdio("./note.txt"), DoctorLayer::Runner, "cannot be executed"),
        (remote("http://wrong-host.invalid/mcp"), DoctorLayer::Dns, "wrong-host.invalid"),
        (remote(&format!("http://{closed_address}/mcp")), DoctorLayer::Tcp, &closed_address),
        (remote(&tls), DoctorLayer::Tls, "certificate of localhost"),
        (remote(&format!("{empty}/mcp")), DoctorLayer::Http, "404"),
        (remote(&format!("{page}/mcp")), DoctorLayer::Http, "web page"),
        (remote(&format!("{broken}/mcp")), DoctorLayer::Http, "502"),
        (remote(&format!("{wrong_issuer}/mcp")), DoctorLayer::Discovery, "elsewhere"),
        (remote(&format!("{no_pkce}/mcp")), DoctorLayer::Authorization, "S256"),
        (remote(&format!("{no_registration}/mcp")), DoctorLayer::Authorization, "cannot register"),
        (remote(&legacy) + protocol, DoctorLayer::Protocol, ""),
        (stdio("false"), DoctorLayer::Protocol, ""),
        (remote(&format!("{expired}/mcp")), DoctorLayer::Credential, "cannot be renewed"),
        (remote(&format!("{expired}/mcp")) + header, DoctorLayer::Credential, "of the configuration"),
    ];
    for (text, layer, reason) in cases {
        let diagnosis = doctor(&world, &text).examine("one").await;
        assert_fails_at_or_credential(&diagnosis, layer, reason);
    }
    // The same server, with its authority: the certificate is accepted.
    let trusting = doctor(&world, &remote(&tls)).root_certificate(AUTHORITY);
    assert_fails_at(&trusting.examine("one").await, DoctorLayer::Http, "");
}

/// Like [`assert_fails_at`]; the last layer has no later ones.
fn assert_fails_at_or_credential(diagnosis: &ConnectorDiagnosis, layer: DoctorLayer, reason: &str) {
    assert_fails_at(diagnosis, layer, reason);
    if layer == DoctorLayer::Credential {
        let protocol = diagnosis.layers.iter().find(|report| report.layer == DoctorLayer::Protocol);
        let state = protocol.map(|report| &report.state);
        assert!(matches!(state, Some(LayerState::NotTried(_))), "{diagnosis}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_works_has_no_failure() {
    let world = World::new();
    let server =
        world.builder(NOTES).build().await.expect("built").serve("127.0.0.1:0").await.expect("served");
    let doctor = doctor(&world, &format!("{NOTES}{}", remote(server.url())));
    for target in ["notes", "one", server.url()] {
        let diagnosis = doctor.examine(target).await;
        assert_eq!(diagnosis.failure(), None, "{diagnosis}");
        let protocol = diagnosis.layers.iter().find(|report| report.layer == DoctorLayer::Protocol);
        let state = protocol.map(|report| report.state.detail().to_owned()).unwrap_or_default();
        assert!(state.starts_with("MCP 2026-07-28"), "{diagnosis}");
    }
    let all = doctor.examine_all().await;
    assert_eq!(all.iter().map(|one| one.name.as_str()).collect::<Vec<_>>(), ["notes", "one"]);
    assert!(!doctor.machine().await.has_failed(), "{}", doctor.machine().await);
    server.stop().await.expect("stopped");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_preflight_says_whether_a_person_must_act() {
    use AuthorizationFault::{BusyTokenEndpoint, RefusedRenewal};
    let world = World::new();
    let (closed, closed_address) = listener().await;
    drop(closed);
    let (expired, busy) = (protected(RefusedRenewal).await, protected(BusyTokenEndpoint).await);
    save_expired(&world, &expired).await;
    save_expired(&world, &busy).await;
    let sign_in = format!("{expired}/mcp");
    for (text, state, code, url) in [
        (NOTES.to_owned(), PreflightState::Ready, 0, None),
        (remote(&format!("http://{closed_address}/mcp")), PreflightState::TryAgain, 10, None),
        (remote(&format!("{busy}/mcp")), PreflightState::TryAgain, 10, None),
        (remote(&sign_in), PreflightState::PersonNeeded, 11, Some(&sign_in)),
        (stdio("false"), PreflightState::Unknown, 12, None),
        // A person is needed, whatever else fails.
        (
            remote(&sign_in) + &stdio("false").replace("one", "two"),
            PreflightState::PersonNeeded,
            11,
            Some(&sign_in),
        ),
    ] {
        let report = doctor(&world, &text).preflight(&[], LIMIT).await;
        assert_eq!((report.state(), report.state().exit_code()), (state, code), "{report}");
        let found = report.connectors[0].1.as_ref().and_then(|failure| failure.url.as_ref());
        assert_eq!(found, url, "{report}");
        assert_eq!(report.to_json()["exitCode"], code);
    }
    let never = doctor(&world, &remote(&sign_in)).preflight(&["one".to_owned()], Duration::ZERO).await;
    assert_eq!(never.state(), PreflightState::TryAgain, "{never}");
    let failure = never.connectors[0].1.as_ref().expect("a failure");
    assert_eq!(failure.remedy, Remedy::Retry);
}
