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

/// The files of a crate by their module paths, each with the files that it uses. The root of the crate, which declares
/// all of them, is left out, and so are tests. Paths inside the calls of macros are not seen.
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
        let modules = sources.keys().filter(|module| !module.is_empty());
        let uses = modules.map(|module| {
            let file = syn::parse_file(&sources[module]).unwrap();
            let mut uses = Uses { module, sources, found: BTreeSet::new() };
            uses.visit_file(&file);
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

/// Collects the files that a file uses.
struct Uses<'a> {
    module: &'a str,
    sources: &'a BTreeMap<String, String>,
    found: BTreeSet<String>,
}

impl Uses<'_> {
    /// Notes the file in which a path ends, if it is another one of the crate.
    fn note(&mut self, path: &[String]) {
        let here: Vec<_> = self.module.split("::").map(str::to_owned).collect();
        let supers = path.iter().take_while(|segment| *segment == "super").count();
        let mut full = match path.first().map(String::as_str) {
            Some("crate") => path[1..].to_vec(),
            Some("self") => [&here, &path[1..]].concat(),
            Some("super") => [&here[..here.len().saturating_sub(supers)], &path[supers..]].concat(),
            Some(first) if self.sources.contains_key(&format!("{}::{first}", self.module)) => {
                [&here, path].concat()
            }
            _ => return,
        };
        while !full.is_empty() && !self.sources.contains_key(&full.join("::")) {
            full.pop();
        }
        let file = full.join("::");
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
    // A parent and its child.
    assert_eq!(circles(&[("a", "mod b; fn f() { b::g() }"), ("a::b", "use super::T;")]).len(), 1);
    let none = [
        ("a", "mod b; pub use b::B; #[cfg(test)] mod tests { use crate::c::C; }"),
        ("a::b", "use super::T;"),
        ("c", "use crate::a::A;"),
    ];
    assert_eq!(circles(&none).len(), 0);
}
