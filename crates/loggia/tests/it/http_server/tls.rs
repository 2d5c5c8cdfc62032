//! `https`, with the version of HTTP chosen by ALPN.

use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use loggia::limits::Limits;
use loggia::transport::http::http;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use serde_json::json;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::fixture::Server;
use super::peer::{LATEST, modern, request, said};

const AUTHORITY: &[u8] = include_bytes!("../data/authority.pem");
const CERTIFICATE: &[u8] = include_bytes!("../data/localhost.pem");
const KEY: &[u8] = include_bytes!("../data/localhost.key");

fn connector(alpn: &[&[u8]]) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(AUTHORITY).expect("a certificate")).expect("an authority");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider has the defaults")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    TlsConnector::from(Arc::new(config))
}

#[tokio::test]
async fn both_versions_of_http() {
    let server =
        Server::with(Limits::default(), |http| http.tls(CERTIFICATE, KEY).expect("a usable pair")).await;
    let cases: [(&[&[u8]], http::Version); 3] = [
        (&[b"h2", b"http/1.1"], http::Version::HTTP_2),
        (&[b"http/1.1"], http::Version::HTTP_11),
        (&[], http::Version::HTTP_11),
    ];
    for (alpn, version) in cases {
        let stream = TcpStream::connect(server.address).await.expect("the server listens");
        let name = "localhost".try_into().expect("a name");
        let stream = TokioIo::new(connector(alpn).connect(name, stream).await.expect("TLS"));
        let body = modern("tools/call", json!({ "name": "echo", "arguments": { "text": "hi" } }));
        let headers = [("mcp-protocol-version", LATEST), ("mcp-method", "tools/call"), ("mcp-name", "echo")];
        let mut request: http::Request<Full<Bytes>> =
            request(server.address, "POST", "/mcp", &headers, body.to_string());
        let answer = if version == http::Version::HTTP_2 {
            request.headers_mut().remove("host");
            *request.uri_mut() = "https://localhost/mcp".parse().expect("a URI");
            let (mut sender, connection) =
                hyper::client::conn::http2::handshake(TokioExecutor::new(), stream).await.expect("HTTP/2");
            tokio::spawn(connection);
            sender.send_request(request).await
        } else {
            let (mut sender, connection) =
                hyper::client::conn::http1::handshake(stream).await.expect("HTTP/1.1");
            tokio::spawn(connection);
            sender.send_request(request).await
        };
        let answer = answer.expect("a response");
        assert_eq!((answer.status().as_u16(), answer.version()), (200, version));
        let body = answer.into_body().collect().await.expect("a body").to_bytes();
        assert_eq!(said(&serde_json::from_slice(&body).expect("JSON")), "hi");
    }
    server.stop().await;
}

#[test]
fn what_cannot_be_used() {
    for (certificates, key) in
        [(KEY, KEY), (CERTIFICATE, CERTIFICATE), (b"".as_slice(), KEY), (AUTHORITY, KEY)]
    {
        let refused = http("127.0.0.1:0").tls(certificates, key).err().expect("refused");
        assert!(matches!(refused, loggia::Error::Configuration(_)), "{refused}");
    }
}
