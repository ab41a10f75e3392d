//! The one manifest of an object among the files of a folder, and what else there changes it.

mod kustomization;

pub(crate) use kustomization::{is_kustomization, listing, namespace_of, obstacle};

use crate::git::File;
use crate::yaml::{self, Node, Told};
use serde_json::Value;

/// An object as a file says it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Manifest {
    /// Which document of the file.
    pub index: usize,
    /// The object.
    pub object: Value,
    /// Whether it names its namespace.
    pub names_namespace: bool,
}

/// Which object is meant.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Wanted<'a> {
    /// Its kind.
    pub kind: &'a str,
    /// Its namespace; a manifest may leave it out.
    pub namespace: &'a str,
    /// Its name.
    pub name: &'a str,
}

impl Wanted<'_> {
    fn is(&self, root: &Node) -> bool {
        let field = |path: [&str; 2]| root.get(path[0]).and_then(|node| node.get(path[1])).and_then(Node::text);
        root.get("kind").and_then(Node::text) == Some(self.kind)
            && field(["metadata", "name"]) == Some(self.name)
            && field(["metadata", "namespace"]).is_none_or(|namespace| namespace == self.namespace)
    }
}

/// The documents of a text that are of the object.
///
/// # Errors
/// In words, when the text cannot be read, or such a document means something that does not stand in it alone.
pub(crate) fn within(text: &str, wanted: Wanted<'_>) -> Told<Vec<Manifest>> {
    let documents = yaml::parse(text)?;
    let roots = documents.iter().enumerate().filter_map(|(index, document)| Some((index, document.root.as_ref()?)));
    let manifest = |(index, root): (usize, &Node)| {
        let object = yaml::value(root)?;
        let names_namespace = object.pointer("/metadata/namespace").is_some();
        Ok(Manifest { index, object, names_namespace })
    };
    roots.filter(|(_, root)| wanted.is(root)).map(manifest).collect()
}

/// The only document of the object in the text.
///
/// # Errors
/// In words, when there is none, or several, or it cannot be read.
pub(crate) fn only(text: &str, wanted: Wanted<'_>) -> Told<Manifest> {
    let mut found = within(text, wanted)?;
    match (found.pop(), found.len()) {
        (Some(manifest), 0) => Ok(manifest),
        (None, _) => Err(format!("it holds no {} {}", wanted.kind, wanted.name)),
        (_, more) => Err(format!("it holds {} of {} {}", more + 1, wanted.kind, wanted.name)),
    }
}

/// The only manifest of the object among the files, by the file's place in the list; `None` when there is none.
///
/// # Errors
/// In words, when there are several, or a file that may hold one cannot be read.
pub(crate) fn find(files: &[File], wanted: Wanted<'_>) -> Told<Option<(usize, Manifest)>> {
    let mut found = Vec::new();
    for (place, file) in files.iter().enumerate() {
        match within(&file.text, wanted) {
            Ok(manifests) => found.extend(manifests.into_iter().map(|manifest| (place, manifest))),
            Err(why) if file.text.contains(wanted.kind) => {
                return Err(format!("{} may hold it and cannot be read as a plain manifest: {why}", file.path));
            }
            Err(_) => {}
        }
    }
    if found.len() > 1 {
        let paths: Vec<_> = found.iter().map(|(place, _)| files[*place].path.as_str()).collect();
        return Err(format!("{} manifests are of it: {}", found.len(), paths.join(", ")));
    }
    Ok(found.pop())
}

/// The folder of a path; empty for the root.
pub(crate) fn folder_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// A path seen from a folder.
pub(crate) fn joined(folder: &str, path: &str) -> String {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.split('/').filter(|part| !part.is_empty() && *part != ".") {
        if part == ".." {
            parts.pop();
        } else {
            parts.push(part);
        }
    }
    parts.join("/")
}
