//! Grants without a user at a browser: the requests, and the effect of refusals.

use std::sync::Arc;

use loggia_auth::extensions::{
    AssertionFile, EnterpriseGrant, FixedAssertion, GrantType, IdentityProvider, SubjectTokenType,
    WorkloadGrant,
};
use loggia_auth::registration::RegisteredClient;
use loggia_auth::secret::Secret;
use serde_json::json;
use tokio::task::JoinSet;
use url::Url;

use crate::world::{Twists, World};

const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const ID_JAG: &str = "urn:ietf:params:oauth:token-type:id-jag";

/// An organisation whose identity provider lives at the token endpoint of the world's own server.
fn enterprise(world: &World) -> GrantType {
    let secret = |name: &str| RegisteredClient::with_secret(name, Secret::new("s&cret"));
    GrantType::Enterprise(EnterpriseGrant {
        provider: IdentityProvider {
            issuer: "https://idp.example".to_owned(),
            token_endpoint: Some(Url::parse(&format!("{}/token", world.issuer)).unwrap()),
            client: secret("at-the-idp"),
        },
        subject: Arc::new(FixedAssertion(Secret::new("id-token"))),
        subject_type: SubjectTokenType::IdToken,
        client: secret("at-the-server").at(&world.issuer),
    })
}

#[tokio::test]
async fn the_organisation_lets_its_people_in() {
    let world =
        World::twisted(Twists { tokens: json!({ "issued_token_type": ID_JAG }), ..Twists::default() }).await;
    let oauth = world.client().grant(enterprise(&world)).build().unwrap();
    assert_eq!(world.call(&oauth).await, Ok(200));
    let asked = world.heard("/token");
    let expected = [
        ("grant_type", EXCHANGE),
        ("requested_token_type", ID_JAG),
        ("audience", &world.issuer),
        ("resource", world.server.as_str()),
        ("subject_token", "id-token"),
        ("subject_token_type", "urn:ietf:params:oauth:token-type:id_token"),
    ];
    assert_eq!(asked[0].form, expected.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
    assert_eq!(asked[1].form["grant_type"], BEARER);
    assert_eq!(asked[1].form["resource"], world.server.as_str());
    for (request, name) in asked.iter().zip(["at-the-idp", "at-the-server"]) {
        use base64::Engine;
        let basic = base64::engine::general_purpose::STANDARD.encode(format!("{name}:s%26cret"));
        assert_eq!(request.headers["authorization"], format!("Basic {basic}"));
    }
    assert_eq!(world.heard("/authorize").len(), 0);
}

#[tokio::test]
async fn a_token_of_the_identity_provider_is_no_grant() {
    let world = World::new().await;
    let oauth = world.client().grant(enterprise(&world)).build().unwrap();
    let error = world.call(&oauth).await.unwrap_err();
    assert!(error.contains("was asked for an ID-JAG and gives a token without a type"), "{error}");
    assert_eq!(world.grants(BEARER), 0, "what was given is shown to nobody");
}

#[tokio::test]
async fn what_the_platform_says_is_read_anew_and_a_refusal_is_not_argued_with() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("assertion");
    let world = World::new().await;
    let client = RegisteredClient::public("workload").at(&world.issuer);
    let grant =
        GrantType::Workload(WorkloadGrant { client, assertion: Arc::new(AssertionFile(file.clone())) });
    let oauth = world.client().grant(grant).build().unwrap();
    let error = world.call(&oauth).await.unwrap_err();
    assert!(error.contains("no assertion in"), "{error}");

    std::fs::write(&file, " one\n").unwrap();
    oauth.sign_in().await.unwrap();
    std::fs::write(&file, "two").unwrap();
    oauth.sign_in().await.unwrap();
    let shown: Vec<String> =
        world.heard("/token").iter().map(|heard| heard.form["assertion"].clone()).collect();
    assert_eq!(shown, ["one", "two"]);
    assert_eq!(world.heard("/token")[0].form["client_id"], "workload");

    assert_eq!(world.call(&oauth).await, Ok(200));
    world.revoke();
    world.twist(|twists| twists.refuses_grants = true);
    let mut rush = JoinSet::new();
    for _ in 0..10 {
        let (world, oauth) = (world.clone(), oauth.clone());
        rush.spawn(async move { world.call(&oauth).await });
    }
    assert!(rush.join_all().await.iter().all(|outcome| outcome.is_err()));
    assert_eq!(world.grants(BEARER), 3, "ten requests, one attempt");
}
