//! The repositories as an MCP server. Without an author there is no tool that commits.

use loggia::server::{Cx, Json, ToolError};
use loggia::{JsonSchema, Server, tools};
use serde::Serialize;

use super::{
    BlameRequest, BlameResult, CommitRequest, CommitResult, DiffRequest, DiffResult, Git, GitFile,
    GitReferences, GitRepositoryEntry, GitStatus, LogRequest, LogResult, ReadFileRequest, SearchRequest,
    SearchResult, ShowResult,
};
use crate::blocking::BlockingCalls;

/// The tools of the repositories below some folders.
struct GitTools {
    git: Git,
    calls: BlockingCalls,
}

/// The repositories that a server has.
#[derive(Debug, Serialize, JsonSchema)]
struct RepositoryList {
    /// The repositories, by path
    repositories: Vec<GitRepositoryEntry>,
}

/// Makes a server of repositories.
pub fn server(git: Git) -> loggia::Result<Server> {
    let limits = git.limits();
    let calls = BlockingCalls::new(limits.running, limits.waiting, limits.time);
    let mut tools = GitTools::reading();
    let writing = git.options.author.is_some();
    if writing {
        tools.extend(GitTools::writing());
    }
    let changing = if writing { "commit makes commits; nothing is ever pushed." } else { "It is read-only." };
    let instructions = format!(
        "Git repositories. {changing} The argument repository is needed if there are several. Revisions are branches, tags, \
         ids, HEAD~2, main@{{1}}; paths are relative to the top of the repository. log with path finds the commits of a file, \
         blame those of its lines, search the lines of files at a revision."
    );
    Server::new("git", env!("CARGO_PKG_VERSION"))
        .title("Git")
        .instructions(instructions)
        .state(GitTools { git, calls })
        .tools(tools)
        .build()
}

#[tools(reading)]
#[allow(clippy::too_many_arguments, reason = "each is a parameter of the tool")]
impl GitTools {
    /// Lists the repositories of this server, with the branches that are checked out.
    #[tool(title = "List repositories", read_only, open_world = false)]
    async fn repositories(&self, cx: &Cx) -> Result<Json<RepositoryList>, ToolError> {
        let git = self.git.clone();
        let repositories = self.calls.run(cx, move |deadline| git.repositories(&deadline)).await?;
        Ok(Json(RepositoryList { repositories }))
    }

    /// Returns the branch and the changed files: staged, not staged and untracked.
    #[tool(title = "Show the status", read_only, open_world = false)]
    async fn status(
        &self,
        cx: &Cx,
        /// The repository, if there are several
        repository: Option<String>,
        /// Only files below this path
        path: Option<String>,
    ) -> Result<Json<GitStatus>, ToolError> {
        let git = self.git.clone();
        let path = path.unwrap_or_default();
        self.calls
            .run(cx, move |deadline| git.status(repository.as_deref(), &path, &deadline))
            .await
            .map(Json)
    }

    /// Returns commits, newest first; with path, those that changed it (renames are not followed).
    #[tool(title = "List commits", read_only, open_world = false)]
    async fn log(
        &self,
        cx: &Cx,
        /// The repository, if there are several
        repository: Option<String>,
        /// The revision to begin at, or a range such as v1.0..main; HEAD by default
        revision: Option<String>,
        /// Only commits that changed this file or directory
        path: Option<String>,
        /// Only commits whose author contains this text
        author: Option<String>,
        /// Only commits whose message this regular expression matches, in upper or lower case
        message: Option<String>,
        /// Only commits since this time, for example 2026-01-31 or '2 weeks ago'
        since: Option<String>,
        /// Only commits until this time
        until: Option<String>,
        /// Number of commits to leave out: next_skip of the previous page
        skip: Option<usize>,
        /// Maximum number of commits; 20 by default
        #[arg(min = 1, max = 1000)]
        limit: Option<usize>,
    ) -> Result<Json<LogResult>, ToolError> {
        let git = self.git.clone();
        let path = path.unwrap_or_default();
        let skip = skip.unwrap_or_default();
        let request = LogRequest { revision, path, author, message, since, until, skip, limit };
        self.calls
            .run(cx, move |deadline| git.log(repository.as_deref(), &request, &deadline))
            .await
            .map(Json)
    }

    /// Returns a commit: author, message, changed files, and the patch since its first parent.
    #[tool(title = "Show a commit", read_only, open_world = false)]
    async fn show(
        &self,
        cx: &Cx,
        /// The repository, if there are several
        repository: Option<String>,
        /// The revision; HEAD by default
        revision: Option<String>,
        /// Only changes below this path
        path: Option<String>,
        /// Maximum number of bytes of the patch; 65536 by default
        #[arg(min = 1)]
        max_bytes: Option<usize>,
    ) -> Result<Json<ShowResult>, ToolError> {
        let git = self.git.clone();
        let path = path.unwrap_or_default();
        let show =
            move |deadline| git.show(repository.as_deref(), revision.as_deref(), &path, max_bytes, &deadline);
        self.calls.run(cx, show).await.map(Json)
    }

    /// Returns a file as it was at a revision, or the names in a directory.
    #[tool(title = "Read a file at a revision", read_only, open_world = false)]
    async fn read(
        &self,
        cx: &Cx,
        /// The repository, if there are several
        repository: Option<String>,
        /// The file or directory
        path: String,
        /// The revision; HEAD by default
        revision: Option<String>,
        /// The first line to read, counted from 1
        #[arg(min = 1)]
        first_line: Option<usize>,
        /// Number of lines to read
        #[arg(min = 1)]
        line_count: Option<usize>,
    ) -> Result<Json<GitFile>, ToolError> {
        let git = self.git.clone();
        let request = ReadFileRequest { path, revision, first_line, line_count };
        self.calls
            .run(cx, move |deadline| git.read_file(repository.as_deref(), &request, &deadline))
            .await
            .map(Json)
    }

    /// Compares two revisions; without to, a revision with the work tree; with staged, with the index.
    #[tool(title = "Compare", read_only, open_world = false)]
    async fn diff(
        &self,
        cx: &Cx,
        /// The repository, if there are several
        repository: Option<String>,
        /// The old revision; HEAD by default
        from: Option<String>,
        /// The new revision; the work tree if it is left out
        to: Option<String>,
        /// True to compare with the index
        staged: Option<bool>,
        /// Only files below this path
        path: Option<String>,
        /// Maximum number of bytes of the patch; 65536 by default
        #[arg(min = 1)]
        max_bytes: Option<usize>,
    ) -> Result<Json<DiffResult>, ToolError> {
        let git = self.git.clone();
        let path = path.unwrap_or_default();
        let request = DiffRequest { from, to, staged: staged.unwrap_or_default(), path, max_bytes };
        self.calls
            .run(cx, move |deadline| git.diff(repository.as_deref(), &request, &deadline))
            .await
            .map(Json)
    }

    /// Returns the commit that wrote each line of a file. Name lines in a large file.
    #[tool(title = "Blame", read_only, open_world = false)]
    async fn blame(
        &self,
        cx: &Cx,
        /// The repository, if there are several
        repository: Option<String>,
        /// The file
        path: String,
        /// The revision; HEAD by default
        revision: Option<String>,
        /// The first line, counted from 1
        #[arg(min = 1)]
        first_line: Option<u32>,
        /// The last line
        #[arg(min = 1)]
        last_line: Option<u32>,
    ) -> Result<Json<BlameResult>, ToolError> {
        let git = self.git.clone();
        let request = BlameRequest { path, revision, first_line, last_line };
        self.calls
            .run(cx, move |deadline| git.blame(repository.as_deref(), &request, &deadline))
            .await
            .map(Json)
    }

    /// Searches the lines of text files at a revision. log searches messages.
    #[tool(title = "Search by content", read_only, open_world = false)]
    async fn search(
        &self,
        cx: &Cx,
        /// The repository, if there are several
        repository: Option<String>,
        /// A regular expression (Rust syntax)
        #[arg(min_length = 1)]
        pattern: String,
        /// The revision; HEAD by default
        revision: Option<String>,
        /// Only files below this path
        path: Option<String>,
        /// Only files that this glob matches, for example '*.rs'
        glob: Option<String>,
        /// True if the pattern is plain text, not a regular expression
        literal: Option<bool>,
        /// True to ignore upper and lower case
        ignore_case: Option<bool>,
        /// Maximum number of matches; 100 by default
        #[arg(min = 1, max = 1000)]
        limit: Option<usize>,
    ) -> Result<Json<SearchResult>, ToolError> {
        let git = self.git.clone();
        let (path, literal) = (path.unwrap_or_default(), literal.unwrap_or_default());
        let ignore_case = ignore_case.unwrap_or_default();
        let request = SearchRequest { pattern, revision, path, glob, literal, ignore_case, limit };
        self.calls
            .run(cx, move |deadline| git.search(repository.as_deref(), &request, &deadline))
            .await
            .map(Json)
    }

    /// Lists branches, remote branches and tags, each with its last commit.
    #[tool(title = "List branches and tags", read_only, open_world = false)]
    async fn references(
        &self,
        cx: &Cx,
        /// The repository, if there are several
        repository: Option<String>,
        /// Only names that contain this text
        filter: Option<String>,
    ) -> Result<Json<GitReferences>, ToolError> {
        let git = self.git.clone();
        let list = move |deadline| git.references(repository.as_deref(), filter.as_deref(), &deadline);
        self.calls.run(cx, list).await.map(Json)
    }
}

#[tools(writing)]
impl GitTools {
    /// Commits files of the work tree on the current branch. Other staged changes stay staged. No hook runs, and nothing
    /// is pushed.
    #[tool(title = "Commit", destructive = false, open_world = false)]
    async fn commit(
        &self,
        cx: &Cx,
        /// The repository, if there are several
        repository: Option<String>,
        /// The message: a short line, an empty line, the reason
        #[arg(min_length = 1)]
        message: String,
        /// The files, also new and deleted ones
        #[arg(max_items = 1000)]
        paths: Option<Vec<String>>,
        /// True to commit all changed files that git tracks
        all: Option<bool>,
    ) -> Result<Json<CommitResult>, ToolError> {
        let git = self.git.clone();
        let paths = paths.unwrap_or_default();
        let request = CommitRequest { message, paths, all: all.unwrap_or_default() };
        self.calls
            .run(cx, move |deadline| git.commit_files(repository.as_deref(), &request, &deadline))
            .await
            .map(Json)
    }
}
