//! The store as an MCP server.

use loggia::server::{Cx, Json, ToolError};
use loggia::{JsonSchema, Server, tools};
use serde::Serialize;

use super::{EntryChange, EntryRequest, Memory, MemoryEntry, MemoryPage, MemoryRelation};
use crate::blocking::BlockingCalls;

/// The tools of one store.
struct MemoryTools {
    memory: Memory,
    calls: BlockingCalls,
}

/// The result of the tool `remember`.
#[derive(Debug, Serialize, JsonSchema)]
struct RememberResult {
    /// The entry
    entry: MemoryEntry,
    /// True if it is new; false if it was remembered before
    created: bool,
}

/// The result of a change of relations.
#[derive(Debug, Serialize, JsonSchema)]
struct RelateResult {
    /// The relation
    relation: MemoryRelation,
    /// True if it was not so before
    changed: bool,
}

/// Makes a server of a store.
pub fn server(memory: Memory) -> loggia::Result<Server> {
    let limits = memory.limits();
    let calls = BlockingCalls::new(limits.running, limits.waiting, limits.time);
    Server::new("memory", env!("CARGO_PKG_VERSION"))
        .title("Memory")
        .instructions(
            "A durable memory. Recall what is known before you answer a question about the user, their people and projects; \
             remember facts that will be useful later, one in each entry. Update an entry that has changed, and do not \
             remember passwords or keys.",
        )
        .state(MemoryTools { memory, calls })
        .tools(MemoryTools::tools())
        .build()
}

#[tools]
impl MemoryTools {
    /// Remembers a fact. The same subject and text are stored once.
    #[tool(title = "Remember", destructive = false, idempotent, open_world = false)]
    async fn remember(
        &self,
        cx: &Cx,
        /// The person, project or thing that it is about
        #[arg(min_length = 1, max_length = 200)]
        subject: String,
        /// The fact, as a whole sentence
        #[arg(min_length = 1)]
        text: String,
        /// Words to find it by
        #[arg(max_items = 20)]
        tags: Option<Vec<String>>,
    ) -> Result<Json<RememberResult>, ToolError> {
        let memory = self.memory.clone();
        let request = EntryRequest { subject, text, tags: tags.unwrap_or_default() };
        let (entry, created) =
            self.calls.run(cx, move |deadline| memory.remember(&request, &deadline)).await?;
        Ok(Json(RememberResult { entry, created }))
    }

    /// Finds entries by the words in their subject, text and tags, the best first, with their relations.
    #[tool(title = "Recall", read_only, open_world = false)]
    async fn recall(
        &self,
        cx: &Cx,
        /// Words to search for; the more of them an entry has, the better it fits
        #[arg(min_length = 1)]
        query: String,
        /// Only entries with this tag
        tag: Option<String>,
        /// Maximum number of entries; 10 by default
        #[arg(min = 1, max = 100)]
        limit: Option<usize>,
    ) -> Result<Json<MemoryPage>, ToolError> {
        let memory = self.memory.clone();
        let recall = move |deadline| memory.recall(&query, tag.as_deref(), limit, &deadline);
        self.calls.run(cx, recall).await.map(Json)
    }

    /// Lists entries, newest first.
    #[tool(title = "List entries", read_only, open_world = false)]
    async fn list(
        &self,
        cx: &Cx,
        /// Only entries with this tag
        tag: Option<String>,
        /// next_before of the previous page
        before: Option<i64>,
        /// Maximum number of entries; 10 by default
        #[arg(min = 1, max = 100)]
        limit: Option<usize>,
    ) -> Result<Json<MemoryPage>, ToolError> {
        let memory = self.memory.clone();
        let list = move |deadline| memory.list(tag.as_deref(), before, limit, &deadline);
        self.calls.run(cx, list).await.map(Json)
    }

    /// Returns one entry with its relations.
    #[tool(title = "Read an entry", read_only, open_world = false)]
    async fn read(
        &self,
        cx: &Cx,
        /// The id of the entry
        id: i64,
    ) -> Result<Json<MemoryEntry>, ToolError> {
        let memory = self.memory.clone();
        self.calls.run(cx, move |deadline| memory.read(id, &deadline)).await.map(Json)
    }

    /// Changes the given parts of an entry.
    #[tool(title = "Update an entry", destructive, idempotent, open_world = false)]
    async fn update(
        &self,
        cx: &Cx,
        /// The id of the entry
        id: i64,
        /// The new subject
        subject: Option<String>,
        /// The new text
        text: Option<String>,
        /// The new tags, in place of all old ones
        tags: Option<Vec<String>>,
    ) -> Result<Json<MemoryEntry>, ToolError> {
        let memory = self.memory.clone();
        let change = EntryChange { subject, text, tags };
        self.calls.run(cx, move |deadline| memory.update(id, &change, &deadline)).await.map(Json)
    }

    /// Deletes an entry with its relations, and returns it as it was.
    #[tool(title = "Forget", destructive, open_world = false)]
    async fn forget(
        &self,
        cx: &Cx,
        /// The id of the entry
        id: i64,
    ) -> Result<Json<MemoryEntry>, ToolError> {
        let memory = self.memory.clone();
        self.calls.run(cx, move |deadline| memory.forget(id, &deadline)).await.map(Json)
    }

    /// Records a relation between two entries, such as "works for", or removes it.
    #[tool(title = "Relate two entries", destructive = false, idempotent, open_world = false)]
    async fn relate(
        &self,
        cx: &Cx,
        /// The id of the first entry
        source: i64,
        /// The kind, read from the first to the second: "works for"
        #[arg(min_length = 1, max_length = 100)]
        kind: String,
        /// The id of the second entry
        target: i64,
        /// True to remove the relation
        remove: Option<bool>,
    ) -> Result<Json<RelateResult>, ToolError> {
        let memory = self.memory.clone();
        let relation = MemoryRelation { source, kind, target };
        let recorded = relation.clone();
        let remove = remove.unwrap_or_default();
        let changed = self.calls.run(cx, move |deadline| memory.relate(&recorded, remove, &deadline)).await?;
        Ok(Json(RelateResult { relation, changed }))
    }
}
