//! Answers to browsers and their pages of `loggia up --auth`, on every path.
#![cfg(unix)]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use crate::up::{get, up, up_at};

const PAGE: &str = "https://chat.example.com";
const PATHS: [&str; 9] = [
    "/mcp",
    "/readyz",
    "/healthz",
    "/oauth/authorize",
    "/oauth/register",
    "/oauth/token",
    "/.well-known/oauth-authorization-server",
    "/.well-known/oauth-protected-resource/mcp",
    "/connect/client.json",
];

/// Sends a request without a body and returns the head of the answer, in small letters.
fn ask(address: &str, method: &str, path: &str, host: &str, headers: &str) -> String {
    let host = if host.is_empty() { address } else { host };
    let mut stream = TcpStream::connect(address).expect("it listens");
    write!(stream, "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{headers}\r\n")
        .expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("answered");
    answer.split("\r\n\r\n").next().unwrap_or_default().to_ascii_lowercase()
}

#[test]
fn foreign_hosts_and_origins_are_refused_and_allowed_pages_can_read_everything() {
    let folder = tempfile::tempdir().expect("a folder");
    let up = up(folder.path(), &["--auth", "--allow-origin", PAGE]);
    let address = up.base().trim_start_matches("http://").to_owned();
    for path in PATHS {
        for (host, headers) in [
            ("evil.example", ""),
            ("evil.example", "Origin: http://evil.example\r\n"),
            ("", "Origin: http://evil.example\r\n"),
            ("", "Origin: null\r\n"),
        ] {
            let answer = ask(&address, "GET", path, host, headers);
            assert!(answer.starts_with("http/1.1 403 "), "{path} {host} {headers}: {answer}");
        }
        let answer = ask(&address, "GET", path, "", &format!("Origin: {PAGE}\r\n"));
        assert!(!answer.starts_with("http/1.1 403 "), "{path}: {answer}");
        assert_eq!(answer.matches("access-control-allow-origin:").count(), 1, "{path}: {answer}");
        assert!(answer.contains(&format!("access-control-allow-origin: {PAGE}")), "{path}: {answer}");
        assert!(answer.contains("vary: origin"), "{path}: {answer}");
        let preflight = format!(
            "Origin: {PAGE}\r\nAccess-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: authorization\r\n"
        );
        let answer = ask(&address, "OPTIONS", path, "", &preflight);
        assert!(answer.starts_with("http/1.1 204 ") && answer.contains("authorization"), "{path}: {answer}");
    }
    let refused = ask(&address, "POST", "/mcp", "", &format!("Origin: {PAGE}\r\nContent-Length: 0\r\n"));
    assert!(
        refused.starts_with("http/1.1 401 ") && refused.contains("\r\nwww-authenticate: bearer"),
        "{refused}"
    );
    let exposed = refused.lines().find(|line| line.starts_with("access-control-expose-headers:"));
    assert!(exposed.is_some_and(|line| line.contains("www-authenticate")), "{refused}");
    assert_eq!(get(&up.base(), "/readyz").1, r#"{"ready":true}"#, "the connectors are not for everyone");
    up.stop();
}

/// The pages of the hub itself are served under its public URL, by way of a proxy.
#[test]
fn the_public_url_is_an_origin_of_its_own() {
    let folder = tempfile::tempdir().expect("a folder");
    let free = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a free port");
    let address = free.to_string();
    let up = up_at(folder.path(), &address, &["--auth", "--public-url", "https://mcp.example.com"]);
    for (origin, status) in [("https://mcp.example.com", "200"), ("https://evil.example.com", "403")] {
        let answer = ask(&address, "GET", "/healthz", "", &format!("Origin: {origin}\r\n"));
        assert!(answer.starts_with(&format!("http/1.1 {status} ")), "{origin}: {answer}");
    }
    up.stop();
}
