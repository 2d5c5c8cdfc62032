//! The folder as an MCP server, written with the public API of the SDK.
//!
//! A read-only folder has no tools that change files, so no call has to be refused.

mod output;

use loggia::model::ResourceContents;
use loggia::schema::Schema;
use loggia::server::{Answer, CompletionRequest, Cx, Json, ToolError};
use loggia::{JsonSchema, Server, resources, tools};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::uri::{self, path_of};
use super::{
    DeleteRequest, DeleteResult, Edit, EditRequest, EditResult, Files, FilesError, FindRequest, GrepRequest,
    GrepResult, ListRequest, Listing, MoveRequest, ReadRange, ReadRequest, Stat, WriteRequest, WriteResult,
};
use crate::limiter::CallLimiter;
use output::ReadOutput;

/// The maximum number of entries that are counted for the question before a deletion.
const MAX_COUNTED: usize = 10_000;

/// The tools and resources of one folder.
struct Folder {
    files: Files,
    limiter: CallLimiter,
}

/// Makes a server of a folder.
pub fn server(files: Files) -> loggia::Result<Server> {
    let instructions = instructions(&files);
    let mut tools = Folder::reading();
    if files.is_writable() {
        tools.extend(Folder::writing());
        let files = files.clone();
        std::thread::Builder::new()
            .name("files-leftovers".to_owned())
            .spawn(move || files.remove_leftovers())?;
    }
    Server::new("files", env!("CARGO_PKG_VERSION"))
        .title("Files")
        .instructions(instructions)
        .state(Folder { limiter: CallLimiter::new(files.limits().running, files.limits().waiting), files })
        .tools(tools)
        .resources(Folder::resources())
        .build()
}

fn instructions(files: &Files) -> String {
    let changing = match (files.is_writable(), files.options.write_sensitive) {
        (false, _) => "It is read-only.",
        (true, true) => "It may be changed.",
        (true, false) => {
            "It may be changed, but for files that other programs execute or trust, such as .git."
        }
    };
    format!(
        "The files of one folder, {}. {changing} Paths are relative to it, with forward slashes; '' is the folder itself. \
         Hidden and git-ignored files are left out unless asked for. Find files with find (by name) and search (by content), \
         then read the part that matters.",
        files.root().display()
    )
}

#[tools(reading)]
#[allow(clippy::too_many_arguments, reason = "each is a parameter of the tool")]
impl Folder {
    /// Lists a directory, in order of path.
    #[tool(title = "List a directory", read_only, open_world = false)]
    async fn list(
        &self,
        cx: &Cx,
        /// The directory; the whole folder if it is left out
        path: Option<String>,
        /// Number of levels to show; 1 by default
        #[arg(min = 1, max = 100)]
        depth: Option<usize>,
        /// True to show names that begin with a dot
        hidden: Option<bool>,
        /// True to show paths that a .gitignore excludes
        ignored: Option<bool>,
        /// Maximum number of entries to return
        #[arg(min = 1, max = 1000)]
        limit: Option<usize>,
        /// next_cursor of the previous page
        cursor: Option<String>,
    ) -> Result<Json<Listing>, ToolError> {
        let request = ListRequest {
            path: path.unwrap_or_default(),
            depth: depth.unwrap_or(1),
            hidden: hidden.unwrap_or_default(),
            ignored: ignored.unwrap_or_default(),
            limit,
            cursor,
        };
        self.run(cx, move |files| files.list(&request)).await.map(Json)
    }

    /// Finds files and directories by name. A glob with a slash is matched against the path ('src/**/*.rs'), one
    /// without against the name, at any depth ('*.rs').
    #[tool(title = "Find by name", read_only, open_world = false)]
    async fn find(
        &self,
        cx: &Cx,
        /// The glob: * within a name, ** across directories, ? one character, [a-z], {one,two}
        glob: String,
        /// The directory to search; the whole folder if it is left out
        path: Option<String>,
        /// True to ignore upper and lower case
        ignore_case: Option<bool>,
        /// True to search names that begin with a dot
        hidden: Option<bool>,
        /// True to search paths that a .gitignore excludes
        ignored: Option<bool>,
        /// Maximum number of paths to return
        #[arg(min = 1, max = 1000)]
        limit: Option<usize>,
        /// next_cursor of the previous page
        cursor: Option<String>,
    ) -> Result<Json<Listing>, ToolError> {
        let request = FindRequest {
            glob,
            path: path.unwrap_or_default(),
            ignore_case: ignore_case.unwrap_or_default(),
            hidden: hidden.unwrap_or_default(),
            ignored: ignored.unwrap_or_default(),
            limit,
            cursor,
        };
        self.run(cx, move |files| files.find(&request)).await.map(Json)
    }

    /// Searches the content of text files, line by line.
    #[tool(title = "Search by content", read_only, open_world = false)]
    async fn search(
        &self,
        cx: &Cx,
        /// A regular expression (Rust syntax: no look-around, no back references)
        #[arg(min_length = 1)]
        pattern: String,
        /// The file or directory to search; the whole folder if it is left out
        path: Option<String>,
        /// Search only files that this glob matches, for example '*.rs'
        glob: Option<String>,
        /// True if the pattern is plain text, not a regular expression
        literal: Option<bool>,
        /// True to ignore upper and lower case
        ignore_case: Option<bool>,
        /// Number of lines to show before and after each match
        #[arg(max = 20)]
        context: Option<usize>,
        /// True to search names that begin with a dot
        hidden: Option<bool>,
        /// True to search paths that a .gitignore excludes
        ignored: Option<bool>,
        /// Maximum number of matching lines to return; 200 by default
        #[arg(min = 1, max = 1000)]
        limit: Option<usize>,
        /// next_cursor of the previous search
        cursor: Option<String>,
    ) -> Result<Json<GrepResult>, ToolError> {
        let request = GrepRequest {
            pattern,
            literal: literal.unwrap_or_default(),
            ignore_case: ignore_case.unwrap_or_default(),
            path: path.unwrap_or_default(),
            glob,
            context: context.unwrap_or_default(),
            hidden: hidden.unwrap_or_default(),
            ignored: ignored.unwrap_or_default(),
            limit,
            cursor,
        };
        self.run(cx, move |files| files.grep(&request)).await.map(Json)
    }

    /// Reads a file: all of it, some lines (first_line, line_count), the last lines (last_lines), or some bytes
    /// (offset, length). Says how to read on if something was left out.
    #[tool(title = "Read a file", read_only, open_world = false)]
    async fn read(
        &self,
        cx: &Cx,
        /// The file
        path: String,
        /// The first line to read, counted from 1
        #[arg(min = 1)]
        first_line: Option<u64>,
        /// Number of lines to read
        line_count: Option<u64>,
        /// Number of lines to read from the end
        last_lines: Option<u64>,
        /// The first byte to read, counted from 0
        offset: Option<u64>,
        /// Number of bytes to read
        length: Option<u64>,
        /// Maximum number of bytes to return; 65536 by default
        #[arg(min = 1)]
        max_bytes: Option<usize>,
        /// True to begin each line with its number and a tab
        line_numbers: Option<bool>,
    ) -> Result<ReadOutput, ToolError> {
        let range = match (first_line.or(line_count), last_lines, offset.or(length)) {
            (None, None, None) => ReadRange::Whole,
            (Some(_), None, None) => ReadRange::Lines { first: first_line.unwrap_or(1), count: line_count },
            (None, Some(count), None) => ReadRange::LastLines(count),
            (None, None, Some(_)) => ReadRange::Bytes { offset: offset.unwrap_or_default(), length },
            _ => {
                return Err(ToolError::say(
                    "give first_line and line_count, or last_lines, or offset and length: one kind of range",
                ));
            }
        };
        let request = ReadRequest { path, range, max_bytes, line_numbers: line_numbers.unwrap_or_default() };
        self.run(cx, move |files| files.read(&request)).await.map(ReadOutput)
    }

    /// Returns the kind, size, time of the last change and hash of a path.
    #[tool(title = "Describe a path", read_only, open_world = false)]
    async fn stat(
        &self,
        cx: &Cx,
        /// The file or directory
        path: String,
    ) -> Result<Json<Stat>, ToolError> {
        self.run(cx, move |files| files.stat(&path)).await.map(Json)
    }
}

/// One change of a file.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Replacement {
    /// The text as it is in the file, with enough of the text around it to be unique
    old_text: String,
    /// The new text
    new_text: String,
    /// True to replace every occurrence
    #[serde(default)]
    replace_all: bool,
}

/// A directory that exists now.
#[derive(Debug, Serialize, JsonSchema)]
struct Directory {
    /// The path, relative to the folder
    path: String,
    /// True if it did not exist before
    created: bool,
}

#[tools(writing)]
impl Folder {
    /// Creates a text file, or replaces all of its content. Missing parent directories are created. To change parts of
    /// a file, use edit.
    #[tool(title = "Write a file", destructive, idempotent, open_world = false)]
    async fn write(
        &self,
        cx: &Cx,
        /// The file
        path: String,
        /// All of its new content
        content: String,
        /// True if an existing file may be replaced
        overwrite: Option<bool>,
        /// Replace the file only if its hash, from read or stat, is still this
        if_unchanged: Option<String>,
    ) -> Result<Json<WriteResult>, ToolError> {
        let overwrite = overwrite.unwrap_or_default();
        let request = WriteRequest { path, content: content.into_bytes(), overwrite, if_unchanged };
        let written = self.run(cx, move |files| files.write(&request)).await?;
        announce(cx, &written.path);
        Ok(Json(written))
    }

    /// Changes passages of a text file and shows the difference. Each old text must be exactly as in the file (but for
    /// line ends, which stay as they are), and occur once unless replace_all is set. Either all edits are made or none.
    #[tool(title = "Edit a file", destructive, open_world = false)]
    async fn edit(
        &self,
        cx: &Cx,
        /// The file
        path: String,
        /// The changes, in order
        #[arg(min_items = 1, max_items = 200)]
        edits: Vec<Replacement>,
        /// True to show the diff and change nothing
        dry_run: Option<bool>,
        /// Edit the file only if its hash, from read or stat, is still this
        if_unchanged: Option<String>,
    ) -> Result<Json<EditResult>, ToolError> {
        let edits =
            edits.into_iter().map(|r| Edit { old: r.old_text, new: r.new_text, replace_all: r.replace_all });
        let edits = edits.collect();
        let request = EditRequest { path, edits, dry_run: dry_run.unwrap_or_default(), if_unchanged };
        let edited = self.run(cx, move |files| files.edit(&request)).await?;
        if edited.applied {
            announce(cx, &edited.path);
        }
        Ok(Json(edited))
    }

    /// Moves or renames a file or a directory. Missing parent directories are created.
    #[tool(name = "move", title = "Move or rename", destructive, open_world = false)]
    async fn rename(
        &self,
        cx: &Cx,
        /// The current path
        from: String,
        /// The complete new path
        to: String,
        /// True if an existing file may be replaced
        overwrite: Option<bool>,
    ) -> Result<Json<Stat>, ToolError> {
        let overwrite = overwrite.unwrap_or_default();
        let request = MoveRequest { from: from.clone(), to, overwrite };
        let moved = self.run(cx, move |files| files.rename(&request)).await?;
        announce(cx, &from);
        announce(cx, &moved.path);
        Ok(Json(moved))
    }

    /// Creates a directory and its missing parents.
    #[tool(title = "Create a directory", destructive = false, idempotent, open_world = false)]
    async fn create_directory(
        &self,
        cx: &Cx,
        /// The directory
        path: String,
    ) -> Result<Json<Directory>, ToolError> {
        let created = self
            .run(cx, {
                let path = path.clone();
                move |files| files.create_directory(&path)
            })
            .await?;
        Ok(Json(Directory { path, created }))
    }

    /// Deletes a file, a symbolic link or an empty directory; with recursive, a directory and its content.
    #[tool(title = "Delete", destructive, idempotent, open_world = false)]
    async fn delete(
        &self,
        cx: &Cx,
        /// The path to delete
        path: String,
        /// True to delete a directory with its content
        recursive: Option<bool>,
    ) -> Result<Json<DeleteResult>, ToolError> {
        let recursive = recursive.unwrap_or_default();
        if recursive {
            self.confirm(cx, &path).await?;
        }
        let request = DeleteRequest { path, recursive };
        let deleted = self.run(cx, move |files| files.delete(&request)).await?;
        announce(cx, &deleted.path);
        Ok(Json(deleted))
    }
}

#[resources]
impl Folder {
    /// A file, by its path relative to the folder, or by its absolute one
    #[resource("file:///{+path}", name = "file", title = "A file")]
    async fn file(
        &self,
        cx: &Cx,
        #[complete(Self::paths)] path: String,
    ) -> Result<ResourceContents, ToolError> {
        let most = self.files.limits().read_max;
        let uri = cx.uri().unwrap_or_default();
        let path = path_of(uri).map_err(|reason| say(FilesError::bad_path(&path, reason)))?;
        let path = self.files.absolute(&path).unwrap_or(path);
        let request = ReadRequest { path, max_bytes: Some(most), ..ReadRequest::default() };
        let read = match self.work(cx, move |files| files.read(&request)).await? {
            Err(FilesError::NotFound { .. }) => return Err(ToolError::resource_not_found(uri)),
            read => read.map_err(say)?,
        };
        if read.content.len() as u64 != read.size {
            return Err(ToolError::say(format!(
                "'{}' is too large for a resource; use the tool read",
                read.path
            )));
        }
        Ok(output::contents(uri, &read.mime_type, read.content))
    }

    async fn paths(&self, typed: &CompletionRequest) -> Vec<String> {
        let (files, typed) = (self.files.clone(), typed.value.clone());
        let Ok(permit) = self.limiter.enter().await else { return Vec::new() };
        let work = move || {
            let _permit = permit;
            files.complete(&typed)
        };
        tokio::task::spawn_blocking(work).await.unwrap_or_default()
    }
}

impl Folder {
    /// Does blocking work on a thread that may block, once the limiter admits it, until the caller has gone.
    async fn work<T: Send + 'static>(
        &self,
        cx: &Cx,
        work: impl FnOnce(&Files) -> super::Result<T> + Send + 'static,
    ) -> Result<super::Result<T>, ToolError> {
        let cancelled = cx.cancelled();
        let files = self.files.until(move || cancelled.is_cancelled());
        let permit = self.limiter.enter().await.map_err(|e| ToolError::say(e.to_string()))?;
        let work = move || {
            // The work goes on after its caller has gone, until it notices.
            let _permit = permit;
            work(&files)
        };
        Ok(tokio::task::spawn_blocking(work).await?)
    }

    /// Runs `work`. Every error is a text for the model.
    async fn run<T: Send + 'static>(
        &self,
        cx: &Cx,
        work: impl FnOnce(&Files) -> super::Result<T> + Send + 'static,
    ) -> Result<T, ToolError> {
        self.work(cx, work).await?.map_err(say)
    }

    /// Asks the user before a directory is deleted with its content, if the client supports the question.
    async fn confirm(&self, cx: &Cx, path: &str) -> Result<(), ToolError> {
        let can_ask = cx.client_capabilities().elicitation.as_ref().is_some_and(|asks| asks.supports_form());
        if !can_ask {
            return Ok(());
        }
        let counted = path.to_owned();
        // An error ends the call: deleting may succeed a moment later, and would not have asked.
        let count = self.run(cx, move |files| files.count_deleted(&counted, MAX_COUNTED)).await?;
        if count == 0 {
            return Ok(());
        }
        let more = if count == MAX_COUNTED { "or more " } else { "" };
        let question = format!("Delete '{path}' with the {count} {more}files and directories in it?");
        let form = Schema::typed("object").with("properties", json!({}));
        match cx.ask_with("delete", &question, form).await? {
            Answer::Accept(_) => Ok(()),
            Answer::Decline | Answer::Cancel => Err(ToolError::say(format!(
                "the person did not agree to delete '{path}', so nothing was deleted"
            ))),
        }
    }
}

fn say(error: FilesError) -> ToolError {
    ToolError::say(error.to_string())
}

fn announce(cx: &Cx, path: &str) {
    cx.changes().resource(uri::uri(path));
}
