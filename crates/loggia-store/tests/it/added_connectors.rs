//! Connectors that people added, on every database.

use loggia_store::{AddedConnectors, Database};

use crate::{Place, places};

async fn open(place: &Place) -> AddedConnectors {
    AddedConnectors::new(Database::open(&place.url).await.unwrap())
}

#[tokio::test]
async fn connectors_are_kept_in_the_order_in_which_they_were_added() {
    for place in places("added").await {
        let (one, other) = (open(&place).await, open(&place).await);
        for name in ["wiki", "notes", "a'b\u{e9}"] {
            assert!(one.add(name, "kind = \"remote\"\n", None).await.unwrap(), "{}: {name}", place.kind);
        }
        assert!(!other.add("wiki", "other", None).await.unwrap(), "{}: a name is taken once", place.kind);
        let names: Vec<String> = other.list().await.unwrap().into_iter().map(|one| one.name).collect();
        assert_eq!(names, ["wiki", "notes", "a'b\u{e9}"], "{}", place.kind);
        assert!(other.remove("notes").await.unwrap() && !other.remove("notes").await.unwrap());
        assert_eq!(one.get("notes").await.unwrap(), None, "{}", place.kind);
        assert_eq!(one.list().await.unwrap().len(), 2, "{}", place.kind);
    }
}

#[tokio::test]
async fn of_two_changes_at_once_one_is_refused() {
    for place in places("changed").await {
        let connectors = open(&place).await;
        connectors.add("wiki", "one", None).await.unwrap();
        let before = connectors.get("wiki").await.unwrap().unwrap();
        assert!(connectors.replace("wiki", "two", before.revision).await.unwrap());
        assert!(!connectors.replace("wiki", "three", before.revision).await.unwrap(), "{}", place.kind);
        let after = connectors.get("wiki").await.unwrap().unwrap();
        assert_eq!(
            (after.definition.as_str(), after.revision),
            ("two", before.revision + 1),
            "{}",
            place.kind
        );
        assert!(!connectors.replace("notes", "one", 1).await.unwrap(), "{}", place.kind);
    }
}

#[tokio::test]
async fn pins_change_only_with_their_connector() {
    for place in places("pins").await {
        let connectors = open(&place).await;
        assert!(connectors.add("wiki", "one", Some("{}")).await.unwrap());
        assert!(connectors.add("notes", "one", None).await.unwrap());
        let read = async |name: &str| connectors.get(name).await.unwrap().unwrap();
        assert_eq!(read("wiki").await.pins.as_deref(), Some("{}"), "{}", place.kind);
        assert_eq!(read("notes").await.pins, None, "{}", place.kind);
        assert!(connectors.replace("wiki", "two", 1).await.unwrap());
        assert_eq!(
            read("wiki").await.pins.as_deref(),
            Some("{}"),
            "{}: a new definition keeps them",
            place.kind
        );
        let changed = connectors.replace_with_pins("wiki", "two", Some("{\"a\":1}"), 1).await.unwrap();
        assert!(!changed, "{}: it was changed since", place.kind);
        assert!(connectors.replace_with_pins("wiki", "three", Some("{\"a\":1}"), 2).await.unwrap());
        let after = read("wiki").await;
        assert_eq!((after.definition.as_str(), after.revision), ("three", 3), "{}", place.kind);
        assert_eq!(after.pins.as_deref(), Some("{\"a\":1}"), "{}", place.kind);
        assert!(connectors.replace_with_pins("wiki", "three", None, 3).await.unwrap());
        assert_eq!(read("wiki").await.pins, None, "{}", place.kind);
    }
}
