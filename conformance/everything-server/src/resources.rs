//! Resources with text and bytes, and templates.

use std::sync::atomic::Ordering;

use loggia::model::ResourceContents;
use loggia::prelude::*;
use serde_json::{Value, json};

use crate::Everything;
use crate::contents::PNG;

#[resources]
impl Everything {
    /// A static text resource for testing
    #[resource("test://static-text", mime = "text/plain")]
    async fn static_text(&self) -> &'static str {
        "This is the content of the static text resource."
    }

    /// A static binary resource (image) for testing
    #[resource("test://static-binary", mime = "image/png")]
    async fn static_binary(&self) -> ResourceContents {
        ResourceContents::blob("test://static-binary", PNG).mime_type("image/png")
    }

    /// A resource template with parameter substitution
    #[resource("test://template/{id}/data", mime = "application/json")]
    async fn template(&self, id: String) -> Json<Value> {
        Json(json!({ "id": id, "templateTest": true, "data": format!("Data for ID: {id}") }))
    }

    /// A resource that can be watched
    #[resource("test://watched-resource", mime = "text/plain")]
    async fn watched(&self) -> &'static str {
        "Watched resource content"
    }

    /// A note that `touch_note` changes
    #[resource("fixture://note", mime = "text/plain")]
    async fn note(&self) -> String {
        format!("the note, touched {} times", self.touched.load(Ordering::Relaxed))
    }

    /// The square of a number
    #[resource("fixture://square/{n}", mime = "text/plain")]
    async fn square(&self, n: i64) -> Option<String> {
        n.checked_mul(n).map(|square| square.to_string())
    }
}
