//! Pages of other parts of the program: their users, the sign-in for them, and their forms.

use std::net::SocketAddr;

use http::{HeaderMap, Request};
use loggia::transport::http::PeerAddr;
use loggia_auth::server::{RateLimit, SignedInUser};

use super::world::{Answer, Browser, World, encoded};

fn headers(browser: &Browser) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert("cookie", browser.cookie().parse().unwrap());
    headers
}

async fn begin(world: &World, browser: &Browser, back: &str) -> Answer {
    let request = Request::get(back).header("cookie", browser.cookie());
    Answer::of(world.server.start_sign_in(back, &request.body(()).unwrap().into_parts().0).await).await
}

/// The rate limit of the server's own pages holds for sign-ins to other pages.
#[tokio::test]
async fn sign_ins_to_a_page_count_against_the_rate_limit() {
    // A sign-in and the link that is shown for it count as eleven requests.
    let limit = RateLimit { burst: 220, per_second: 1, proxies: Vec::new() };
    let world = World::with(|builder| builder.rate_limit(Some(limit)));
    let ask = async |peer: &str| {
        let peer = PeerAddr(SocketAddr::new(peer.parse().unwrap(), 4000));
        let parts = Request::get("/connect/a").extension(peer).body(()).unwrap().into_parts().0;
        Answer::of(world.server.start_sign_in("/connect/a", &parts).await).await.status
    };
    let mut statuses = Vec::new();
    for _ in 0..22 {
        statuses.push(ask("8.8.8.8").await);
    }
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 20, "{statuses:?}");
    assert_eq!((statuses[21], ask("9.9.9.9").await), (429, 200));
}

#[tokio::test]
async fn a_user_signs_in_and_returns_to_the_page() {
    // Users return to a page of this server only.
    for (back, expected) in [
        ("/connect/a?invitation=b%26c", "/connect/a?invitation=b%26c"),
        ("//evil.example/", "/"),
        ("https://evil.example/", "/"),
        ("/\\evil.example", "/"),
    ] {
        let (world, browser) = (World::new(), Browser::new());
        assert_eq!(world.server.signed_in_user(&headers(&browser)).await.unwrap(), None);
        let page = begin(&world, &browser, back).await;
        assert!(page.body.contains("name=\"code\""), "{}", page.body);
        let back = browser.sign_in(&world, &page).await;
        assert_eq!((back.status, back.location()), (303, expected), "{}", back.body);
        let ada = SignedInUser { subject: "ada".to_owned(), name: "ada".to_owned() };
        assert_eq!(world.server.signed_in_user(&headers(&browser)).await.unwrap(), Some(ada));
        world.time.pass(13 * 60 * 60);
        assert_eq!(world.server.signed_in_user(&headers(&browser)).await.unwrap(), None, "for half a day");
    }
}

#[tokio::test]
async fn a_sign_in_to_a_page_is_used_once_and_expires() {
    let (world, browser) = (World::new(), Browser::new());
    let page = begin(&world, &browser, "/connect/a").await;
    let id = page.field("request").unwrap();
    browser.sign_in(&world, &page).await;
    let again = browser.get(&world, &format!("/oauth/continue?{}", encoded(&[("request", &id)]))).await;
    assert!(again.body.contains("took too long"), "{}", again.body);
    let other = Browser::new();
    let page = begin(&world, &other, "/connect/a").await;
    world.time.pass(16 * 60);
    let id = page.field("request").unwrap();
    let late = other.get(&world, &format!("/oauth/continue?{}", encoded(&[("request", &id)]))).await;
    assert!(late.body.contains("took too long"), "{}", late.body);
}

#[tokio::test]
async fn forms_come_from_pages_of_this_server() {
    let world = World::new();
    for (origin, kind, body, expected) in [
        (Some("https://hub.example"), "application/x-www-form-urlencoded", "key=a%20b", Ok("a b")),
        (None, "application/x-www-form-urlencoded; charset=utf-8", "key=a", Ok("a")),
        (Some("https://evil.example"), "application/x-www-form-urlencoded", "key=a", Err(403)),
        (Some("null"), "application/x-www-form-urlencoded", "key=a", Err(403)),
        (None, "text/plain", "key=a", Err(400)),
        (None, "application/x-www-form-urlencoded", "key=a&key=b", Err(400)),
    ] {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", kind.parse().unwrap());
        origin.map(|origin| headers.insert("origin", origin.parse().unwrap()));
        let form = world.server.read_form(&headers, loggia::transport::http::Body::full(body)).await;
        let found = form.as_ref().map(|form| form.get("key").unwrap_or_default());
        assert_eq!(found.map_err(|answer| answer.status().as_u16()), expected, "{origin:?} {kind} {body}");
    }
}
