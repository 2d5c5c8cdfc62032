//! Files that other programs execute or trust. A process that writes one of them runs a program later, perhaps as
//! another user: git runs commands in `.git/config`, an editor runs the tasks of a folder, a shell runs its profile.
//! They are changed only with a special option.
//!
//! A path is checked by its names, as the caller wrote it and after links, together with the path of the folder
//! itself. File systems may ignore case, some characters or the end of a name, so names are compared in a normal
//! form.

use std::ffi::OsStr;
use std::path::{Component, Path, PathBuf};

use cap_std::fs::Dir;

use super::path::RelPath;
use super::walk::{Walk, WalkFlow, WalkOptions};
use super::{Files, FilesError, Result};

/// Names of files, and of directories with all their content, that are sensitive.
const NAMES: &[&str] = &[
    // Version control: hooks, and commands in the configuration.
    ".git",
    ".githooks",
    ".gitconfig",
    ".gitmodules",
    ".hg",
    ".hgrc",
    ".husky",
    ".jj",
    ".pre-commit-config.yaml",
    ".svn",
    "lefthook.yaml",
    "lefthook.yml",
    // Editors: tasks, and paths of programs.
    ".devcontainer",
    ".dir-locals.el",
    ".emacs",
    ".emacs.d",
    ".exrc",
    ".fleet",
    ".idea",
    ".nvim.lua",
    ".nvimrc",
    ".vim",
    ".vimrc",
    ".vs",
    ".vscode",
    ".zed",
    // AI applications and this one: commands of servers and hooks.
    ".claude",
    ".claude.json",
    ".codex",
    ".cursor",
    ".gemini",
    ".mcp.json",
    ".windsurf",
    "loggia.toml",
    // Shells and sessions.
    ".bash_aliases",
    ".bash_login",
    ".bash_logout",
    ".bash_profile",
    ".bashrc",
    ".cshrc",
    ".direnv",
    ".envrc",
    ".inputrc",
    ".kshrc",
    ".login",
    ".logout",
    ".pam_environment",
    ".profile",
    ".tcshrc",
    ".tmux.conf",
    ".xinitrc",
    ".xprofile",
    ".xsession",
    ".xsessionrc",
    ".zlogin",
    ".zlogout",
    ".zprofile",
    ".zshenv",
    ".zshrc",
    // Access to this machine.
    ".gnupg",
    ".rhosts",
    ".shosts",
    ".ssh",
    "authorized_keys",
    "authorized_keys2",
    // Tools that run commands from a configuration in a folder.
    ".cargo",
    ".circleci",
    ".gdbinit",
    ".lldbinit",
    ".mise.toml",
    ".npmrc",
    ".yarnrc",
    ".yarnrc.yml",
    "mise.toml",
];

/// The ends of the names of pipelines that a repository server runs.
const PIPELINES: [&str; 2] = ["-ci.yml", "-ci.yaml"];

/// Names that are sensitive only in this order.
const PATHS: &[[&str; 2]] = &[
    [".config", "autostart"],
    [".config", "direnv"],
    [".config", "fish"],
    [".config", "git"],
    [".config", "mise"],
    [".config", "nvim"],
    [".config", "systemd"],
    [".github", "actions"],
    [".github", "workflows"],
    [".local", "bin"],
    ["library", "launchagents"],
];

/// The names in a git directory, whatever the directory is called: a bare repository, or the target of a `.git` file.
const GIT_HEAD: &str = "HEAD";
const GIT_DIRECTORIES: [&str; 2] = ["objects", "refs"];
const GIT_COMMON: &str = "commondir";

impl Files {
    /// Fails if `path` or its target `real` is sensitive.
    pub(super) fn check_sensitive(&self, path: &RelPath, real: &Path) -> Result<()> {
        if self.options.write_sensitive {
            return Ok(());
        }
        let resolved = self.resolve(real);
        let sensitive = self.root_is_sensitive
            || has_sensitive_names(&self.roots[1].join(path.as_str()))
            || has_sensitive_names(&self.roots[1].join(&resolved))
            || self.is_in_git_directory(&resolved);
        if sensitive { Err(FilesError::Sensitive { path: path.to_string() }) } else { Ok(()) }
    }

    /// Fails if a directory that gets or loses the name of `path` contains something that is sensitive under this
    /// name, for example `x/workflows` that is moved to `.github`.
    pub(super) fn check_renamed_directory(&self, path: &RelPath, moved: &RelPath) -> Result<()> {
        if self.options.write_sensitive {
            return Ok(());
        }
        let Ok(dir) = self.root.open_dir(moved.as_path()) else { return Ok(()) };
        let name = normal(path.name().as_ref());
        if PATHS.iter().any(|[first, second]| *first == name && has_entry(&dir, second)) {
            return Err(FilesError::Sensitive { path: path.to_string() });
        }
        Ok(())
    }

    /// Fails if something below the directory `path` is sensitive, or if there is too much in it to check.
    pub(super) fn check_sensitive_below(&self, path: &RelPath) -> Result<()> {
        if self.options.write_sensitive {
            return Ok(());
        }
        let options = WalkOptions { hidden: true, ignored: true, ..WalkOptions::default() };
        let mut walk = Walk::new(options, self.budget());
        let mut sensitive = None;
        walk.run(self, path, &mut |found, _| {
            let resolved = Path::new(&found.path);
            if has_sensitive_names(resolved) || self.is_in_git_directory(resolved) {
                sensitive = Some(found.path);
                return WalkFlow::Stop;
            }
            WalkFlow::Continue
        })?;
        let unsure = || walk.is_incomplete().then(|| walk.cursor().unwrap_or_else(|| path.to_string()));
        match sensitive.or_else(unsure) {
            Some(path) => Err(FilesError::Sensitive { path }),
            None => Ok(()),
        }
    }

    /// Returns the path after links, as far as it exists, with the rest unchanged.
    fn resolve(&self, real: &Path) -> PathBuf {
        for existing in real.ancestors() {
            if let Ok(resolved) = self.root.canonicalize(existing) {
                let rest = real.strip_prefix(existing).unwrap_or(Path::new(""));
                return if rest == Path::new("") { resolved } else { resolved.join(rest) };
            }
        }
        real.to_owned()
    }

    /// Returns whether a directory of the path is a git directory, or becomes one with the next name of the path.
    fn is_in_git_directory(&self, resolved: &Path) -> bool {
        let mut above = PathBuf::from(".");
        for component in resolved.components() {
            let Component::Normal(name) = component else { continue };
            let Ok(dir) = self.root.open_dir(&above) else { return false };
            if is_git_directory(&dir, name) {
                return true;
            }
            above.push(name);
        }
        false
    }
}

/// Returns whether a folder is sensitive as a whole: its own path has sensitive names, or it is in a git directory.
pub(super) fn is_sensitive_root(root: &Path) -> bool {
    let in_git_directory = |folder: &Path| {
        let has = |name: &str| folder.join(name).exists();
        has(GIT_HEAD) && (GIT_DIRECTORIES.iter().all(|name| has(name)) || has(GIT_COMMON))
    };
    has_sensitive_names(root) || root.ancestors().any(in_git_directory)
}

/// Returns whether `dir` is a git directory when it has the entry `added`.
fn is_git_directory(dir: &Dir, added: &OsStr) -> bool {
    let added = normal(added);
    let has = |name: &str| name.to_lowercase() == added || dir.symlink_metadata(name).is_ok();
    has(GIT_HEAD) && (GIT_DIRECTORIES.iter().all(|name| has(name)) || has(GIT_COMMON))
}

fn has_entry(dir: &Dir, name: &str) -> bool {
    let mut names = dir.entries().into_iter().flatten().flatten();
    names.any(|entry| normal(&entry.file_name()) == name)
}

fn has_sensitive_names(path: &Path) -> bool {
    let names = normal_names(path);
    let together = |pair: &[&str; 2]| names.windows(2).any(|window| *window == *pair);
    names.iter().any(|name| is_sensitive_name(name)) || PATHS.iter().any(together)
}

fn is_sensitive_name(name: &str) -> bool {
    NAMES.contains(&name) || (name.starts_with('.') && PIPELINES.iter().any(|end| name.ends_with(end)))
}

fn normal_names(path: &Path) -> Vec<String> {
    let normals = path.components().filter_map(|component| match component {
        Component::Normal(name) => Some(normal(name)),
        _ => None,
    });
    normals.collect()
}

/// Returns the form in which names are compared: in lower case, without the characters that HFS+ ignores, and without
/// the parts that Windows ignores (dots and spaces at the end, the name of a stream). On Windows, `git~1` is the
/// short name of `.git`.
fn normal(name: &OsStr) -> String {
    let ignored = |c: &char| matches!(c, '\u{200c}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{206a}'..='\u{206f}' | '\u{feff}');
    let text: String = name.to_string_lossy().chars().filter(|c| !ignored(c)).collect();
    let text = text.to_uppercase().to_lowercase();
    let text = text.split(':').next().unwrap_or_default().trim_end_matches(['.', ' ']);
    if text == "git~1" { ".git".to_owned() } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_apart_in_every_spelling() {
        let sensitive = [
            ".git",
            ".git/config",
            "a/b/.git/hooks/pre-commit",
            ".GIT/config",
            ".Git/config",
            ".git./config",
            ".git /config",
            ".git::$INDEX_ALLOCATION/config",
            ".g\u{200c}it/config",
            "git~1/config",
            "sub/.git",
            ".SSH/authorized_keys",
            ".\u{17f}sh/config",
            "keys/authorized_keys",
            ".envrc",
            "a/.bashrc",
            ".vscode/tasks.json",
            ".idea/workspace.xml",
            ".husky/pre-push",
            ".github/workflows/ci.yml",
            ".GitHub/Workflows/ci.yml",
            ".config/fish/config.fish",
            "loggia.toml",
            ".mcp.json",
            ".lab-ci.yml",
        ];
        let others = [
            "git/config",
            ".gitignore",
            ".gitattributes",
            ".github/ISSUE_TEMPLATE/bug.md",
            ".github",
            "workflows/ci.yml",
            ".config/app.toml",
            ".env",
            "Makefile",
            "bashrc",
            "test-ci.yml",
            "a.git/b",
            "vscode/tasks.json",
            "",
        ];
        for (paths, expected) in [(&sensitive[..], true), (&others[..], false)] {
            for path in paths {
                assert_eq!(has_sensitive_names(Path::new(path)), expected, "{path:?}");
            }
        }
    }
}
