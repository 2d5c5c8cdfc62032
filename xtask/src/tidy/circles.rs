//! Import circles between the modules of a crate: modules that need each other cannot be understood one by one. Two
//! children of one module import each other if something in one names something in the other. A child may name its
//! parent, and a parent its children. Names that a module re-exports count for the module that defines them.

use std::collections::{BTreeMap, BTreeSet};

use syn::visit::{self, Visit};
use syn::{ItemFn, ItemImpl, ItemMod, ItemUse, Path, UseTree};

use super::source::Source;
use super::type_names::is_test;

/// The names of modules from the root of their crate.
pub(super) type ModulePath = Vec<String>;

/// Modules that import one another.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ImportCircle {
    krate: String,
    /// The module whose children they are.
    parent: ModulePath,
    /// The names of the children, with the names that each of them imports.
    imports: BTreeMap<String, BTreeSet<String>>,
}

impl ImportCircle {
    /// Returns the number of modules in it.
    pub(super) fn len(&self) -> usize {
        self.imports.len()
    }

    pub(super) fn krate(&self) -> &str {
        &self.krate
    }

    /// Returns its text on one line.
    pub(super) fn describe(&self) -> String {
        let place = [std::slice::from_ref(&self.krate), &self.parent[..]].concat().join("::");
        let import = |(name, others): (&String, &BTreeSet<String>)| {
            format!("{name} names {}", others.iter().cloned().collect::<Vec<_>>().join(", "))
        };
        format!("{place}: {}", self.imports.iter().map(import).collect::<Vec<_>>().join("; "))
    }
}

/// Finds the circles of each crate in `sources`, which are files of `src`.
pub(super) fn circles<'s>(sources: impl Iterator<Item = &'s Source>) -> Result<Vec<ImportCircle>, String> {
    let mut crates: BTreeMap<String, ModuleGraph> = BTreeMap::new();
    for source in sources {
        crates.entry(source.krate().to_owned()).or_default().add(source)?;
    }
    Ok(crates.into_iter().flat_map(|(krate, graph)| graph.circles(&krate)).collect())
}

/// The modules of one crate.
#[derive(Default)]
struct ModuleGraph(BTreeMap<ModulePath, Module>);

/// The names that a module uses.
#[derive(Default)]
struct Module {
    /// The imported names, each with its path as it is written.
    imports: BTreeMap<String, Vec<String>>,
    /// All paths in the module, as they are written.
    paths: Vec<Vec<String>>,
}

impl ModuleGraph {
    fn add(&mut self, source: &Source) -> Result<(), String> {
        let file = syn::parse_file(&source.text).map_err(|e| format!("{}: {e}", source.path))?;
        let path = module_path(&source.path);
        self.0.entry(path.clone()).or_default();
        ModuleReader { graph: self, path }.visit_file(&file);
        Ok(())
    }

    fn circles(&self, krate: &str) -> Vec<ImportCircle> {
        let mut edges: BTreeMap<ModulePath, BTreeMap<String, BTreeSet<String>>> = BTreeMap::new();
        for (from, module) in &self.0 {
            for path in &module.paths {
                let to = self.resolve(from, path, MAX_REEXPORTS);
                let same = from.iter().zip(&to).take_while(|(from, to)| from == to).count();
                if let (Some(one), Some(other)) = (from.get(same), to.get(same)) {
                    let siblings = edges.entry(from[..same].to_vec()).or_default();
                    siblings.entry(one.clone()).or_default().insert(other.clone());
                }
            }
        }
        let circles = edges.into_iter().flat_map(|(parent, imports)| {
            let circles = mutual(&imports).into_iter();
            circles.map(move |imports| ImportCircle {
                krate: krate.to_owned(),
                parent: parent.clone(),
                imports,
            })
        });
        circles.collect()
    }

    /// Returns the module that defines the target of `path`, written in the module `from`.
    fn resolve(&self, from: &[String], path: &[String], reexports: usize) -> ModulePath {
        let mut at = from.to_vec();
        let mut rest = path;
        while let Some((first, others)) = rest.split_first() {
            match &**first {
                "crate" => at.clear(),
                "self" => {}
                "super" => drop(at.pop()),
                _ => break,
            }
            rest = others;
        }
        let is_absolute = rest.len() < path.len();
        for (n, name) in rest.iter().enumerate() {
            let child = [&at[..], std::slice::from_ref(name)].concat();
            if self.0.contains_key(&child) {
                at = child;
                continue;
            }
            let import = self.0.get(&at).and_then(|module| module.imports.get(name));
            // A path that begins with an unknown name belongs to another crate, unless it was imported.
            if let Some(import) =
                import.filter(|import| reexports > 0 && **import != *path && (is_absolute || n > 0))
            {
                let path = [&import[..], &rest[n + 1..]].concat();
                return self.resolve(&at, &path, reexports - 1);
            }
            break;
        }
        at
    }
}

/// The maximum length of a chain of re-exports.
const MAX_REEXPORTS: usize = 8;

/// Returns the groups of names that reach each other, each with the edges in the group.
fn mutual(edges: &BTreeMap<String, BTreeSet<String>>) -> Vec<BTreeMap<String, BTreeSet<String>>> {
    let reached: BTreeMap<&String, BTreeSet<&String>> =
        edges.keys().map(|name| (name, reachable(edges, name))).collect();
    let mut groups = Vec::new();
    let mut grouped: BTreeSet<&String> = BTreeSet::new();
    for (name, others) in &reached {
        if !others.contains(name) || grouped.contains(name) {
            continue;
        }
        let is_mutual = |other: &&&String| reached.get(**other).is_some_and(|back| back.contains(name));
        let group: BTreeSet<&String> = others.iter().filter(is_mutual).copied().collect();
        grouped.extend(&group);
        let inside = |name: &&String| edges[*name].iter().filter(|to| group.contains(to)).cloned().collect();
        groups.push(group.iter().map(|name| ((*name).clone(), inside(name))).collect());
    }
    groups
}

fn reachable<'e>(edges: &'e BTreeMap<String, BTreeSet<String>>, from: &String) -> BTreeSet<&'e String> {
    let mut reached = BTreeSet::new();
    let mut next: Vec<&String> = edges.get(from).into_iter().flatten().collect();
    while let Some(name) = next.pop() {
        if reached.insert(name) {
            next.extend(edges.get(name).into_iter().flatten());
        }
    }
    reached
}

/// Returns the module of a file `crates/NAME/src/…`.
pub(super) fn module_path(path: &str) -> ModulePath {
    let inner = path.split_once("/src/").map_or(path, |(_, inner)| inner).trim_end_matches(".rs");
    let mut names: ModulePath = inner.split('/').map(str::to_owned).collect();
    if names.last().is_some_and(|last| matches!(&**last, "mod" | "lib" | "main")) {
        names.pop();
    }
    names
}

/// Reads the imports and paths of a file into a graph; tests are left out.
struct ModuleReader<'g> {
    graph: &'g mut ModuleGraph,
    path: ModulePath,
}

impl ModuleReader<'_> {
    fn module(&mut self) -> &mut Module {
        self.graph.0.entry(self.path.clone()).or_default()
    }

    fn add_use(&mut self, before: &[String], tree: &UseTree) {
        match tree {
            UseTree::Path(tree) => {
                self.add_use(&[before, &[tree.ident.to_string()]].concat(), &tree.tree);
            }
            UseTree::Name(tree) => self.add_import(before, tree.ident.to_string(), None),
            UseTree::Rename(tree) => {
                self.add_import(before, tree.ident.to_string(), Some(tree.rename.to_string()))
            }
            UseTree::Glob(_) => self.module().paths.push(before.to_vec()),
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.add_use(before, tree)),
        }
    }

    fn add_import(&mut self, before: &[String], name: String, rename: Option<String>) {
        let path =
            if name == "self" { before.to_vec() } else { [before, std::slice::from_ref(&name)].concat() };
        let known_as = rename.or_else(|| path.last().cloned());
        let module = self.module();
        module.paths.push(path.clone());
        module.imports.extend(known_as.map(|name| (name, path)));
    }
}

impl<'a> Visit<'a> for ModuleReader<'_> {
    fn visit_item_use(&mut self, item: &'a ItemUse) {
        if !is_test(&item.attrs) && item.leading_colon.is_none() {
            self.add_use(&[], &item.tree);
        }
    }

    fn visit_item_mod(&mut self, item: &'a ItemMod) {
        if is_test(&item.attrs) || item.content.is_none() {
            return;
        }
        self.path.push(item.ident.to_string());
        self.module();
        visit::visit_item_mod(self, item);
        self.path.pop();
    }

    fn visit_item_fn(&mut self, item: &'a ItemFn) {
        if !is_test(&item.attrs) {
            visit::visit_item_fn(self, item);
        }
    }

    fn visit_item_impl(&mut self, item: &'a ItemImpl) {
        if !is_test(&item.attrs) {
            visit::visit_item_impl(self, item);
        }
    }

    fn visit_path(&mut self, path: &'a Path) {
        if path.leading_colon.is_none() && path.segments.len() > 1 {
            let names = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
            self.module().paths.push(names);
        }
        visit::visit_path(self, path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(files: &[(&str, &str)]) -> Vec<String> {
        let source = |(path, text): &(&str, &str)| {
            let path = format!("crates/a/src/{path}");
            Source::new(path.clone(), path.into(), (*text).into())
        };
        let sources: Vec<Source> = files.iter().map(source).collect();
        let circles = circles(sources.iter()).expect("it parses");
        circles.iter().map(ImportCircle::describe).collect()
    }

    #[test]
    fn modules_that_name_one_another_are_a_circle() {
        type Case = (&'static str, &'static [(&'static str, &'static str)], &'static [&'static str]);
        let cases: &[Case] = &[
            (
                "a line",
                &[("lib.rs", "mod b; mod c;"), ("b.rs", "use crate::c::C;"), ("c.rs", "pub struct C;")],
                &[],
            ),
            (
                "two",
                &[
                    ("lib.rs", "mod b; mod c;"),
                    ("b.rs", "use crate::c::C;"),
                    ("c.rs", "use super::b::{self, B};"),
                ],
                &["a: b names c; c names b"],
            ),
            (
                "three, by a path in a function",
                &[
                    ("lib.rs", "mod b; mod c; mod d;"),
                    ("b.rs", "use crate::c::C;"),
                    ("c.rs", "fn f() { crate::d::D::new() }"),
                    ("d.rs", "fn f(b: &super::b::B) {}"),
                ],
                &["a: b names c; c names d; d names b"],
            ),
            (
                "by a name that the root re-exports",
                &[
                    ("lib.rs", "mod b; mod c; pub use b::B; pub use crate::c::C as Renamed;"),
                    ("b.rs", "use crate::Renamed;"),
                    ("c.rs", "use crate::B;"),
                ],
                &["a: b names c; c names b"],
            ),
            (
                "children of a module, and files deeper in them",
                &[
                    ("lib.rs", "mod m;"),
                    ("m/mod.rs", "mod b; mod c;"),
                    ("m/b.rs", "mod deep;"),
                    ("m/b/deep.rs", "use super::super::c::C;"),
                    ("m/c.rs", "use crate::m::b::B;"),
                ],
                &["a::m: b names c; c names b"],
            ),
            (
                "a parent and its child",
                &[
                    ("lib.rs", "mod m;"),
                    ("m.rs", "mod b; use b::B; pub struct M;"),
                    ("m/b.rs", "use super::M; pub struct B;"),
                ],
                &[],
            ),
            (
                "tests, other crates, and names that are no modules",
                &[
                    ("lib.rs", "mod b; mod c;"),
                    ("b.rs", "use crate::c::C; use std::c::D; fn f() { String::new() }"),
                    ("c.rs", "#[cfg(test)] mod tests { use crate::b::B; } use ::b::B; use serde::b;"),
                ],
                &[],
            ),
            (
                "modules inside of a file",
                &[("lib.rs", "mod b { use super::c::C; } mod c { pub struct C; use crate::b::B; }")],
                &["a: b names c; c names b"],
            ),
        ];
        for (what, files, expected) in cases {
            assert_eq!(found(files), *expected, "{what}");
        }
    }

    #[test]
    fn the_module_of_a_file_is_its_path() {
        for (path, expected) in [
            ("crates/a/src/lib.rs", ""),
            ("crates/a/src/main.rs", ""),
            ("crates/a/src/b.rs", "b"),
            ("crates/a/src/b/mod.rs", "b"),
            ("crates/a/src/b/c.rs", "b::c"),
        ] {
            assert_eq!(module_path(path).join("::"), expected, "{path}");
        }
    }
}
