//! A browser without a library: it follows redirects, keeps cookies and fills in forms.

use std::io::{Read, Write};
use std::net::TcpStream;

/// An HTTP response.
pub(crate) struct Page {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Page {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// The browser of one user, at one gateway.
pub(crate) struct Browser {
    base: String,
    cookies: Vec<String>,
}

impl Browser {
    pub(crate) fn new(base: &str) -> Browser {
        Browser { base: base.to_owned(), cookies: Vec::new() }
    }

    /// Signs in with the link that `link` waits for, allows what is asked, and follows the redirect to the client.
    pub(crate) fn sign_in(&mut self, page: &str, link: impl FnOnce() -> String) {
        let first = self.open(page, None);
        assert!(first.body.contains("name=\"code\""), "{}", first.body);
        let confirm = self.open(&link(), None);
        let form = [("code", field(&confirm.body, "code")), ("request", field(&confirm.body, "request"))];
        let consent = self.open(&format!("{}/oauth/signin", self.base), Some(&form)).body;
        let form = [
            ("request", field(&consent, "request")),
            ("ticket", field(&consent, "ticket")),
            ("decision", "allow".to_owned()),
        ];
        let last = self.open(&format!("{}/oauth/consent", self.base), Some(&form));
        assert_eq!(last.status, 200, "{}", last.body);
    }

    /// Opens a page, and those that it redirects to.
    fn open(&mut self, url: &str, form: Option<&[(&str, String)]>) -> Page {
        let (mut url, mut form) = (url.to_owned(), form);
        loop {
            let headers = format!("Origin: {}\r\nCookie: {}\r\n", self.base, self.cookies.join("; "));
            let page = send(&url, &headers, form.take());
            for (_, cookie) in page.headers.iter().filter(|(name, _)| name == "set-cookie") {
                let pair = cookie.split(';').next().unwrap_or_default();
                let name = pair.split('=').next().unwrap_or_default();
                self.cookies.retain(|known| known.split('=').next() != Some(name));
                self.cookies.push(pair.to_owned());
            }
            url = match page.headers.iter().find(|(name, _)| name == "location") {
                None => return page,
                Some((_, path)) if path.starts_with('/') => format!("{}{path}", self.base),
                Some((_, url)) => url.clone(),
            };
        }
    }
}

/// Sends one request. `headers` are lines; a form is posted.
pub(crate) fn send(url: &str, headers: &str, form: Option<&[(&str, String)]>) -> Page {
    let rest = url.strip_prefix("http://").expect("http");
    let (address, path) = rest.split_once('/').expect("a path");
    let method = if form.is_some() { "POST" } else { "GET" };
    let pairs = form.unwrap_or_default().iter();
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
    let host = if headers.contains("Host:") { String::new() } else { format!("Host: {address}\r\n") };
    let mut stream = TcpStream::connect(address).expect("it listens");
    write!(
        stream,
        "{method} /{path} HTTP/1.1\r\n{host}Connection: close\r\n{headers}Content-Type: \
         application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("answered");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a response");
    let status = head.split_whitespace().nth(1).and_then(|status| status.parse().ok()).expect("a status");
    let headers = head.lines().filter_map(|line| line.split_once(": "));
    let headers = headers.map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect();
    Page { status, headers, body: body.to_owned() }
}

fn field(page: &str, name: &str) -> String {
    let start = format!("name=\"{name}\" value=\"");
    let rest = page.split_once(&start).unwrap_or_else(|| panic!("no {name}: {page}")).1;
    rest.split('"').next().unwrap_or_default().to_owned()
}
