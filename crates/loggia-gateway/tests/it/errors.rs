//! Faults of a configuration, as a program sees them.

use loggia_gateway::{GatewayConfig, GatewayError};

use crate::world::{NOTES, World};

/// Each case: a configuration, a part of the error, and a part of the next step, where there is one.
#[tokio::test]
async fn a_fault_names_its_place_and_the_next_step() {
    let public = format!("[server]\nlisten = \"0.0.0.0:0\"\n{NOTES}");
    for (text, expected, next_step) in [
        ("[connectors.a]\nkind = \"stdoi\"\n", "loggia.toml:2:", None),
        ("[server", "loggia.toml:1:8", None),
        ("", "has no connector that is enabled", Some("[connectors.NAME]")),
        (public.as_str(), "clients must know under which URL", Some("server.public_url")),
    ] {
        let world = World::new();
        let error = Box::pin(start(&world, text)).await.expect_err("it is wrong");
        assert!(error.to_string().contains(expected), "{text}: {error}");
        let step = error.next_step();
        assert_eq!(step.is_some(), next_step.is_some(), "{text}: {step:?}");
        assert!(step.unwrap_or_default().contains(next_step.unwrap_or_default()), "{text}");
    }
}

/// Builds and serves a gateway at the address of its configuration.
async fn start(world: &World, text: &str) -> Result<(), GatewayError> {
    world.config(text)?;
    let gateway = world.builder(text).build().await?;
    let listen = gateway.listen();
    gateway.serve(listen).await.map(drop)
}

#[tokio::test]
async fn an_address_in_use_is_named_with_its_error() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("it is bound");
    let world = World::new();
    let served = world.builder(NOTES).build().await.expect("built").serve(address).await;
    let error = served.err().expect("it is refused");
    assert!(matches!(&error, GatewayError::Bind { listen, .. } if listen.port == address.port()), "{error}");
    assert!(error.to_string().starts_with(&format!("{address} is already in use")), "{error}");
}

#[tokio::test]
async fn a_folder_must_be_there() {
    let world = World::new();
    let missing = GatewayConfig::of_folder(world.path().join("missing"), Default::default());
    let built = loggia_gateway::Gateway::builder(missing).build().await;
    assert!(matches!(built.err(), Some(GatewayError::NoFolder(path)) if path.ends_with("missing")));
}
