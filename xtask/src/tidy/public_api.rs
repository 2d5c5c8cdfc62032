//! The public API of the SDK as a list of names, read from the source: `crates/loggia/public-api.txt`. A name that is added,
//! removed or renamed shows in the diff of a change, so that it is reviewed as what it is.
//!
//! One line for each public item: its kind and its path as a user writes it. Items that other crates define are listed as
//! re-exports; trait implementations and the types of signatures are not listed. Hidden items have a mark.

use std::collections::{BTreeMap, BTreeSet};

use syn::{Attribute, Fields, ImplItem, Item, ItemImpl, Meta, TraitItem, Type, UseTree, Visibility};

use super::Repository;
use super::circles::{ModulePath, module_path};
use super::source::Source;
use super::type_names::is_test;

/// The file with the list.
const LIST: &str = "crates/loggia/public-api.txt";
const CRATE: &str = "loggia";

/// Checks that the list is current.
pub(super) fn is_listed(repository: &Repository) -> Vec<String> {
    let listed = repository.files.iter().find(|file| file.path == LIST).map_or("", |file| &*file.text);
    let current = match list(repository) {
        Ok(current) => current,
        Err(message) => return vec![message],
    };
    let (listed, current): (BTreeSet<&str>, BTreeSet<&str>) =
        (listed.lines().collect(), current.lines().collect());
    let added = current.difference(&listed).map(|line| format!("    + {line}"));
    let removed = listed.difference(&current).map(|line| format!("    - {line}"));
    let mut complaints: Vec<String> = added.chain(removed).collect();
    if !complaints.is_empty() {
        complaints
            .insert(0, format!("    {LIST} is not current: review the names, then run `cargo xtask api`"));
    }
    complaints
}

/// Writes the list.
pub(super) fn write(repository: &Repository) -> Result<(), String> {
    let path = crate::paths::root().join(LIST);
    std::fs::write(&path, list(repository)?).map_err(|e| format!("cannot write {}: {e}", path.display()))
}

fn list(repository: &Repository) -> Result<String, String> {
    let mut api = CrateItems::default();
    for source in repository.shipped(&[CRATE]) {
        api.add(source)?;
    }
    let mut lines = BTreeSet::new();
    api.write_module(&Vec::new(), CRATE, &mut BTreeSet::new(), &mut lines);
    Ok(lines.into_iter().map(|line| line + "\n").collect())
}

/// The items of a crate.
#[derive(Default)]
struct CrateItems {
    modules: BTreeMap<ModulePath, Vec<Item>>,
    /// The inherent methods and constants of each type. Two types of a crate never share a name.
    members: BTreeMap<String, Vec<String>>,
}

impl CrateItems {
    fn add(&mut self, source: &Source) -> Result<(), String> {
        let file = syn::parse_file(&source.text).map_err(|e| format!("{}: {e}", source.path))?;
        self.add_module(module_path(&source.path), file.items);
        Ok(())
    }

    fn add_module(&mut self, path: ModulePath, items: Vec<Item>) {
        let mut own = Vec::new();
        for item in items {
            match item {
                Item::Mod(module) if is_test(&module.attrs) => {}
                Item::Mod(mut module) => {
                    if let Some((_, inner)) = module.content.take() {
                        self.add_module([&path[..], &[module.ident.to_string()]].concat(), inner);
                    }
                    own.push(Item::Mod(module));
                }
                Item::Impl(item) if item.trait_.is_none() => self.add_members(&item),
                item => own.push(item),
            }
        }
        self.modules.entry(path).or_default().extend(own);
    }

    fn add_members(&mut self, item: &ItemImpl) {
        let Type::Path(of) = &*item.self_ty else { return };
        let Some(of) = of.path.segments.last().map(|segment| segment.ident.to_string()) else { return };
        let members = item.items.iter().filter_map(|member| match member {
            ImplItem::Fn(method) if is_public(&method.vis) => {
                Some(format!("fn {{}}::{}{}", method.sig.ident, mark(&method.attrs)))
            }
            ImplItem::Const(constant) if is_public(&constant.vis) => {
                Some(format!("const {{}}::{}{}", constant.ident, mark(&constant.attrs)))
            }
            _ => None,
        });
        self.members.entry(of).or_default().extend(members);
    }

    /// Writes what `module` shows, under the path `shown`. `open`: the modules that are being written.
    fn write_module(
        &self,
        module: &ModulePath,
        shown: &str,
        open: &mut BTreeSet<ModulePath>,
        out: &mut BTreeSet<String>,
    ) {
        if !open.insert(module.clone()) {
            return;
        }
        for item in self.modules.get(module).into_iter().flatten() {
            match item {
                Item::Use(import) if is_public(&import.vis) => {
                    for (path, name) in leaves(&import.tree) {
                        self.write_import(module, &path, &name, shown, open, out);
                    }
                }
                Item::Mod(child) if is_public(&child.vis) => {
                    self.write_item(module, item, &child.ident.to_string(), shown, open, out);
                }
                item => {
                    if let Some((name, true)) = named(item) {
                        self.write_item(module, item, &name, shown, open, out);
                    }
                }
            }
        }
        open.remove(module);
        // Macros are exported from the root, wherever they are written.
        if module.is_empty() {
            for item in self.modules.values().flatten() {
                if let Item::Macro(exported) = item
                    && exported.attrs.iter().any(|a| a.path().is_ident("macro_export"))
                {
                    let name = exported.ident.as_ref().map(ToString::to_string).unwrap_or_default();
                    out.insert(format!("macro {CRATE}::{name}!{}", mark(&exported.attrs)));
                }
            }
        }
    }

    /// Writes a re-export: the item itself if this crate defines it.
    fn write_import(
        &self,
        module: &ModulePath,
        path: &[String],
        name: &str,
        shown: &str,
        open: &mut BTreeSet<ModulePath>,
        out: &mut BTreeSet<String>,
    ) {
        let (place, rest) = self.resolve(module, path);
        if let ([one], true) = (rest, self.is_shown(&place)) {
            let of = [&[CRATE.to_owned()], &place[..], std::slice::from_ref(one)].concat().join("::");
            out.insert(format!("use {shown}::{name} = {of}"));
            return;
        }
        match rest {
            [] if name == "*" => self.write_module(&place, shown, open, out),
            [] => {
                out.insert(format!("mod {shown}::{name}"));
                self.write_module(&place, &format!("{shown}::{name}"), open, out);
            }
            [one] => {
                let items = self.modules.get(&place).into_iter().flatten();
                let mut found = false;
                for item in items.filter(|item| named(item).is_some_and(|(own, _)| own == *one)) {
                    found = true;
                    self.write_item(&place, item, name, shown, open, out);
                }
                let again = self.imports(&place).find(|(_, own)| own == one);
                match again {
                    _ if found => {}
                    Some((path, _)) => self.write_import(&place, &path, name, shown, open, out),
                    None => drop(out.insert(format!("use {shown}::{name} = {}", path.join("::")))),
                }
            }
            _ => drop(out.insert(format!("use {shown}::{name} = {}", path.join("::")))),
        }
    }

    /// Returns whether users can name a module other than the root, so that its items are listed there.
    fn is_shown(&self, module: &[String]) -> bool {
        let is_open = |depth: usize| {
            let items = self.modules.get(&module[..depth]).into_iter().flatten();
            items.into_iter().any(|item| match item {
                Item::Mod(child) => child.ident == module[depth] && is_public(&child.vis),
                _ => false,
            })
        };
        !module.is_empty() && (0..module.len()).all(is_open)
    }

    /// Returns the paths and names that a module imports.
    fn imports(&self, module: &ModulePath) -> impl Iterator<Item = (Vec<String>, String)> {
        let items = self.modules.get(module).into_iter().flatten();
        items.flat_map(|item| match item {
            Item::Use(import) => leaves(&import.tree),
            _ => Vec::new(),
        })
    }

    /// Returns the module of this crate that `path` leads to from `module`, and the rest of the path.
    fn resolve<'p>(&self, module: &ModulePath, path: &'p [String]) -> (ModulePath, &'p [String]) {
        let (mut at, mut rest) = (module.clone(), path);
        while let [first, others @ ..] = rest {
            match &**first {
                "crate" => at.clear(),
                "self" => {}
                "super" => drop(at.pop()),
                child => {
                    let child = [&at[..], &[child.to_owned()]].concat();
                    if !self.modules.contains_key(&child) {
                        return (at, rest);
                    }
                    at = child;
                }
            }
            rest = others;
        }
        (at, rest)
    }

    fn write_item(
        &self,
        module: &ModulePath,
        item: &Item,
        name: &str,
        shown: &str,
        open: &mut BTreeSet<ModulePath>,
        out: &mut BTreeSet<String>,
    ) {
        let path = format!("{shown}::{name}");
        let mut add = |kind: &str, path: &str, attrs: &[Attribute]| {
            out.insert(format!("{kind} {path}{}", mark(attrs)));
        };
        match item {
            Item::Mod(child) => {
                add("mod", &path, &child.attrs);
                let child = [&module[..], &[child.ident.to_string()]].concat();
                return self.write_module(&child, &path, open, out);
            }
            Item::Struct(item) => {
                add("struct", &path, &item.attrs);
                public_fields(&item.fields).for_each(|field| add("field", &format!("{path}::{field}"), &[]));
            }
            Item::Enum(item) => {
                add("enum", &path, &item.attrs);
                for variant in &item.variants {
                    add("variant", &format!("{path}::{}", variant.ident), &variant.attrs);
                }
            }
            Item::Trait(item) => {
                add("trait", &path, &item.attrs);
                for member in &item.items {
                    match member {
                        TraitItem::Fn(member) => {
                            add("fn", &format!("{path}::{}", member.sig.ident), &member.attrs);
                        }
                        TraitItem::Type(member) => {
                            add("type", &format!("{path}::{}", member.ident), &member.attrs)
                        }
                        TraitItem::Const(member) => {
                            add("const", &format!("{path}::{}", member.ident), &member.attrs);
                        }
                        _ => {}
                    }
                }
            }
            Item::Fn(item) => add("fn", &path, &item.attrs),
            Item::Const(item) => add("const", &path, &item.attrs),
            Item::Static(item) => add("static", &path, &item.attrs),
            Item::Type(item) => add("type", &path, &item.attrs),
            _ => {}
        }
        if let Some((own, _)) = named(item) {
            let members = self.members.get(&own).into_iter().flatten();
            out.extend(members.map(|member| member.replace("{}", &path)));
        }
    }
}

/// Returns the name of an item, and whether it is public.
fn named(item: &Item) -> Option<(String, bool)> {
    let (name, vis) = match item {
        Item::Struct(item) => (&item.ident, &item.vis),
        Item::Enum(item) => (&item.ident, &item.vis),
        Item::Trait(item) => (&item.ident, &item.vis),
        Item::Fn(item) => (&item.sig.ident, &item.vis),
        Item::Const(item) => (&item.ident, &item.vis),
        Item::Static(item) => (&item.ident, &item.vis),
        Item::Type(item) => (&item.ident, &item.vis),
        _ => return None,
    };
    Some((name.to_string(), is_public(vis)))
}

fn is_public(vis: &Visibility) -> bool {
    matches!(vis, Visibility::Public(_))
}

/// Returns the mark of a hidden item.
fn mark(attrs: &[Attribute]) -> &'static str {
    let hidden = attrs.iter().any(|attr| match &attr.meta {
        Meta::List(list) => list.path.is_ident("doc") && list.tokens.to_string() == "hidden",
        _ => false,
    });
    if hidden { " (hidden)" } else { "" }
}

fn public_fields(fields: &Fields) -> impl Iterator<Item = String> {
    let public = fields.iter().enumerate().filter(|(_, field)| is_public(&field.vis));
    public.map(|(at, field)| field.ident.as_ref().map_or(at.to_string(), ToString::to_string))
}

/// Returns each path that a `use` names, and the name that it gets.
fn leaves(tree: &UseTree) -> Vec<(Vec<String>, String)> {
    match tree {
        UseTree::Path(path) => {
            let first = path.ident.to_string();
            let below = leaves(&path.tree).into_iter();
            below.map(|(rest, name)| ([std::slice::from_ref(&first), &rest[..]].concat(), name)).collect()
        }
        UseTree::Name(name) => vec![(vec![name.ident.to_string()], name.ident.to_string())],
        UseTree::Rename(rename) => vec![(vec![rename.ident.to_string()], rename.rename.to_string())],
        UseTree::Glob(_) => vec![(Vec::new(), "*".to_owned())],
        UseTree::Group(group) => group.items.iter().flat_map(leaves).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Files, and the lines that they make.
    type ListCase = (&'static [(&'static str, &'static str)], &'static [&'static str]);

    fn listed(files: &[(&str, &str)]) -> Vec<String> {
        let mut api = CrateItems::default();
        for (path, text) in files {
            let path = format!("crates/loggia/src/{path}");
            api.add(&Source::new(path.clone(), path.into(), (*text).to_owned())).expect("Rust");
        }
        let mut lines = BTreeSet::new();
        api.write_module(&Vec::new(), CRATE, &mut BTreeSet::new(), &mut lines);
        lines.into_iter().collect()
    }

    #[test]
    fn public_items_are_listed_where_users_find_them() {
        let cases: &[ListCase] = &[
            (&[("lib.rs", "pub fn open() {} fn closed() {} pub(crate) fn inner() {}")], &["fn loggia::open"]),
            (
                &[("lib.rs", "mod a; pub use a::One;"), ("a.rs", "pub struct One; pub struct Two;")],
                &["struct loggia::One"],
            ),
            (
                &[
                    ("lib.rs", "mod a; pub use a::One as Other;"),
                    ("a.rs", "pub struct One { pub x: u8, y: u8 } impl One { pub fn f() {} fn g() {} }"),
                ],
                &["field loggia::Other::x", "fn loggia::Other::f", "struct loggia::Other"],
            ),
            (
                &[
                    ("lib.rs", "pub mod a;"),
                    ("a/mod.rs", "mod b; pub use self::b::*;"),
                    ("a/b.rs", "pub enum E { A }"),
                ],
                &["enum loggia::a::E", "mod loggia::a", "variant loggia::a::E::A"],
            ),
            (
                &[("lib.rs", "pub mod a; pub use a::One;"), ("a.rs", "pub struct One { pub x: u8 }")],
                &[
                    "field loggia::a::One::x",
                    "mod loggia::a",
                    "struct loggia::a::One",
                    "use loggia::One = loggia::a::One",
                ],
            ),
            (
                &[("lib.rs", "pub use wire::model; #[doc(hidden)] pub mod a { pub const C: u8 = 1; }")],
                &["const loggia::a::C", "mod loggia::a (hidden)", "use loggia::model = wire::model"],
            ),
            (
                &[(
                    "lib.rs",
                    "pub trait T { type A; fn f(&self); } #[cfg(test)] mod tests { pub fn t() {} }",
                )],
                &["fn loggia::T::f", "trait loggia::T", "type loggia::T::A"],
            ),
        ];
        for (files, expected) in cases {
            assert_eq!(listed(files), *expected, "{files:?}");
        }
    }
}
