//! Which files of a crate use each other.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use syn::{
    Attribute, Item, ItemUse, UseTree, Visibility,
    visit::{self, Visit},
};

use super::files;

/// The files of a crate by their module paths, each with the files that it uses. A name that a module re-exports is of
/// the file that defines it. The root of the crate, which declares all of them, is left out, and so are tests. Paths
/// inside the calls of macros are not seen.
pub(crate) struct ModuleGraph(BTreeMap<String, BTreeSet<String>>);

impl ModuleGraph {
    /// Reads the sources of a crate.
    pub(crate) fn read(src: &Path) -> Self {
        let rust =
            files(src).into_iter().filter(|path| path.extension().is_some_and(|extension| extension == "rs"));
        let sources = rust.map(|path| {
            let module = path.strip_prefix(src).unwrap().with_extension("");
            let module = module.to_str().unwrap().replace('/', "::");
            let module = if matches!(&*module, "lib" | "main") { String::new() } else { module };
            (module, fs::read_to_string(path).unwrap())
        });
        Self::parse(&sources.collect())
    }

    fn parse(sources: &BTreeMap<String, String>) -> Self {
        let files: BTreeMap<_, _> =
            sources.iter().map(|(module, text)| (module.clone(), syn::parse_file(text).unwrap())).collect();
        let names: BTreeSet<_> = sources.keys().cloned().collect();
        let exports: BTreeMap<_, _> =
            files.iter().map(|(module, file)| (module.clone(), exports(module, file, &names))).collect();
        let modules = files.iter().filter(|(module, _)| !module.is_empty());
        let uses = modules.map(|(module, file)| {
            let mut uses = Uses { module, names: &names, exports: &exports, found: BTreeSet::new() };
            uses.visit_file(file);
            (module.clone(), uses.found)
        });
        Self(uses.collect())
    }

    /// The groups of files that use each other, directly or by way of others.
    pub(crate) fn circles(&self) -> BTreeSet<Vec<String>> {
        let reached: BTreeMap<_, _> = self.0.keys().map(|module| (module, self.reachable(module))).collect();
        let circle = |module: &String| {
            let members = reached[module].iter().filter(|other| reached[other].contains(module));
            members.cloned().collect::<Vec<_>>()
        };
        self.0.keys().map(circle).filter(|circle| !circle.is_empty()).collect()
    }

    /// Which of the modules at the top of the crate, each with all of its files, use which others.
    pub(crate) fn arrows(&self) -> BTreeMap<String, BTreeSet<String>> {
        let top = |module: &str| module.split("::").next().unwrap_or_default().to_owned();
        let mut arrows: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (module, uses) in &self.0 {
            let from = top(module);
            let uses = uses.iter().map(|module| top(module)).filter(|to| *to != from);
            arrows.entry(from.clone()).or_default().extend(uses);
        }
        arrows
    }

    fn reachable(&self, module: &str) -> BTreeSet<String> {
        let mut reached = BTreeSet::new();
        let mut open: Vec<_> = self.0[module].iter().collect();
        while let Some(next) = open.pop() {
            if reached.insert(next.clone()) {
                open.extend(&self.0[next]);
            }
        }
        reached
    }
}

/// The names that a module re-exports from other files of the crate, each with that file and its name there.
type Exports = BTreeMap<String, (String, String)>;

fn exports(module: &str, file: &syn::File, names: &BTreeSet<String>) -> Exports {
    let mut exports = Exports::new();
    for item in &file.items {
        let Item::Use(item) = item else { continue };
        if matches!(item.vis, Visibility::Inherited) {
            continue;
        }
        for (path, exported) in leaves(&item.tree) {
            // A path of the crate, or one that begins with a child of this module.
            let absolute = absolute(module, &path, names).or_else(|| {
                let child =
                    if module.is_empty() { path[0].clone() } else { format!("{module}::{}", path[0]) };
                names
                    .contains(&child)
                    .then(|| [child.split("::").map(str::to_owned).collect(), path[1..].to_vec()].concat())
            });
            let Some((file, rest)) = absolute.map(|path| split(&path, names)) else { continue };
            if let [name] = rest.as_slice()
                && file != module
            {
                exports.insert(exported, (file, name.clone()));
            }
        }
    }
    exports
}

/// The paths that a tree of a `use` names, each with the name that it has afterwards.
fn leaves(tree: &UseTree) -> Vec<(Vec<String>, String)> {
    match tree {
        UseTree::Path(part) => {
            let ident = part.ident.to_string();
            let below = leaves(&part.tree).into_iter();
            below.map(|(path, name)| ([vec![ident.clone()], path].concat(), name)).collect()
        }
        UseTree::Group(group) => group.items.iter().flat_map(leaves).collect(),
        UseTree::Name(name) => vec![(vec![name.ident.to_string()], name.ident.to_string())],
        UseTree::Rename(name) => vec![(vec![name.ident.to_string()], name.rename.to_string())],
        UseTree::Glob(_) => vec![(Vec::new(), String::new())],
    }
    .into_iter()
    .filter(|(path, _)| !path.is_empty())
    .collect()
}

/// A path within a module as a path within the crate; `None` for one that leads out of it.
fn absolute(module: &str, path: &[String], names: &BTreeSet<String>) -> Option<Vec<String>> {
    let here: Vec<_> = module.split("::").filter(|part| !part.is_empty()).map(str::to_owned).collect();
    let supers = path.iter().take_while(|segment| *segment == "super").count();
    match path.first().map(String::as_str) {
        Some("crate") => Some(path[1..].to_vec()),
        Some("self") => Some([&here, &path[1..]].concat()),
        Some("super") => Some([&here[..here.len().saturating_sub(supers)], &path[supers..]].concat()),
        Some(first) if names.contains(&format!("{module}::{first}")) => Some([&here, path].concat()),
        _ => None,
    }
}

/// The file in which a path of the crate ends, and what follows it.
fn split(path: &[String], names: &BTreeSet<String>) -> (String, Vec<String>) {
    let length = (0..=path.len()).rev().find(|length| names.contains(&path[..*length].join("::")));
    let length = length.unwrap_or_default();
    (path[..length].join("::"), path[length..].to_vec())
}

/// Collects the files that a file uses.
struct Uses<'a> {
    module: &'a str,
    names: &'a BTreeSet<String>,
    exports: &'a BTreeMap<String, Exports>,
    found: BTreeSet<String>,
}

impl Uses<'_> {
    /// Notes the file that defines what a path names, if it is another one of the crate.
    fn note(&mut self, path: &[String]) {
        let Some(path) = absolute(self.module, path, self.names) else { return };
        let (mut file, mut rest) = split(&path, self.names);
        while let Some((from, name)) = rest.first().and_then(|name| self.exports.get(&file)?.get(name)) {
            file.clone_from(from);
            rest[0].clone_from(name);
        }
        if !file.is_empty() && file != self.module {
            self.found.insert(file);
        }
    }

    fn note_tree(&mut self, tree: &UseTree, path: &mut Vec<String>) {
        match tree {
            UseTree::Path(part) => {
                path.push(part.ident.to_string());
                self.note_tree(&part.tree, path);
                path.pop();
            }
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.note_tree(tree, path)),
            UseTree::Name(name) => self.note(&[path.as_slice(), &[name.ident.to_string()]].concat()),
            UseTree::Rename(name) => self.note(&[path.as_slice(), &[name.ident.to_string()]].concat()),
            UseTree::Glob(_) => self.note(path),
        }
    }
}

impl<'ast> Visit<'ast> for Uses<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        let attributes: &[Attribute] = match item {
            Item::Fn(item) => &item.attrs,
            Item::Impl(item) => &item.attrs,
            Item::Mod(item) => &item.attrs,
            Item::Use(item) => &item.attrs,
            _ => &[],
        };
        let is_test = attributes.iter().any(|attribute| {
            attribute.path().is_ident("cfg")
                && attribute.parse_args().is_ok_and(|path: syn::Path| path.is_ident("test"))
        });
        if !is_test {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        let before = self.found.clone();
        self.note_tree(&item.tree, &mut Vec::new());
        if !matches!(item.vis, Visibility::Inherited) {
            // Re-exports of a module's own parts do not count as uses.
            let own = format!("{}::", self.module);
            self.found.retain(|file| before.contains(file) || !file.starts_with(&own));
        }
    }

    /// `pub(super)` is no use of the parent.
    fn visit_visibility(&mut self, _: &'ast Visibility) {}

    fn visit_path(&mut self, path: &'ast syn::Path) {
        self.note(&path.segments.iter().map(|segment| segment.ident.to_string()).collect::<Vec<_>>());
        visit::visit_path(self, path);
    }
}

#[test]
fn a_module_uses_what_any_of_its_files_uses() {
    let sources = [
        ("a", "mod x; pub use x::X;"),
        ("a::x", "use crate::{b::y::Y, c}; fn f() -> super::Z { c::f() }"),
        ("b", "mod y;"),
        ("b::y", ""),
        ("c", "fn f() {}"),
    ];
    let sources = sources.iter().map(|(module, text)| ((*module).to_owned(), (*text).to_owned()));
    let arrows = ModuleGraph::parse(&sources.collect()).arrows();
    let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
    assert_eq!(arrows["a"], set(&["b", "c"]));
    assert_eq!((&arrows["b"], &arrows["c"]), (&set(&[]), &set(&[])));
}

#[test]
fn circles_are_found_however_a_path_is_written() {
    let circles = |sources: &[(&str, &str)]| {
        let sources = sources.iter().map(|(module, text)| ((*module).to_owned(), (*text).to_owned()));
        ModuleGraph::parse(&sources.collect()).circles()
    };
    let one = ["a", "b"].map(str::to_owned).to_vec();
    for uses in
        ["use crate::{c, b::{self, B}};", "fn f() -> super::b::B { loop {} }", "impl crate::b::T for A {}"]
    {
        let found = circles(&[("a", uses), ("b", "use super::a::A;"), ("c", "")]);
        assert_eq!(found, BTreeSet::from([one.clone()]), "{uses}");
    }
    // Through a third file.
    assert_eq!(
        circles(&[("a", "use crate::b;"), ("b", "use crate::c;"), ("c", "use crate::a::A;")]).len(),
        1
    );
    // By a name that another module re-exports, from the root too.
    let through = |uses: &str| {
        let sources = [
            ("", "mod a; mod p; pub use p::{C as D};"),
            ("a", uses),
            ("p", "mod b; pub use self::b::B as C;"),
            ("p::b", "use crate::a::A;"),
        ];
        circles(&sources).into_iter().flatten().collect::<Vec<_>>()
    };
    for uses in ["use crate::p::C;", "use crate::D;", "fn f(_: crate::D) {}"] {
        assert_eq!(through(uses), ["a", "p::b"], "{uses}");
    }
    assert_eq!(through("use crate::p::Other;"), [""; 0]);
    // A parent and its child.
    assert_eq!(circles(&[("a", "mod b; fn f() { b::g() }"), ("a::b", "use super::T;")]).len(), 1);
    let none = [
        ("a", "mod b; pub use b::B; #[cfg(test)] mod tests { use crate::c::C; }"),
        ("a::b", "use super::T;"),
        ("c", "use crate::a::A;"),
    ];
    assert_eq!(circles(&none).len(), 0);
}
