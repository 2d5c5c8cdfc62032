//! The class of an operation: whether it reads, writes or destroys. Policies decide by it, so a doubtful operation gets
//! the more dangerous class.

use std::fmt;

use http::Method;

/// The effect of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OperationClass {
    /// It changes nothing.
    Read,
    /// It creates or changes something.
    Write,
    /// It deletes something, or cannot be undone.
    Destructive,
}

impl fmt::Display for OperationClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            OperationClass::Read => "read",
            OperationClass::Write => "write",
            OperationClass::Destructive => "destructive",
        })
    }
}

impl OperationClass {
    /// Returns the class that the first verb of a name in snake case says; `None` if no word is a known verb.
    ///
    /// ```
    /// use loggia_openapi::OperationClass;
    /// assert_eq!(OperationClass::of_name("notion_delete_page"), Some(OperationClass::Destructive));
    /// assert_eq!(OperationClass::of_name("get_post"), Some(OperationClass::Read));
    /// assert_eq!(OperationClass::of_name("weather"), None);
    /// ```
    pub fn of_name(name: &str) -> Option<OperationClass> {
        name.split('_').find_map(|word| match word {
            word if DESTROYING.contains(&word) => Some(OperationClass::Destructive),
            word if CHANGING.contains(&word) => Some(OperationClass::Write),
            word if READING.contains(&word) => Some(OperationClass::Read),
            _ => None,
        })
    }
}

/// Verbs of operations that only read, though they are sent by POST: a query that is too long for a URL.
const READING: [&str; 9] = ["get", "list", "search", "query", "find", "lookup", "count", "fetch", "retrieve"];
const DESTROYING: [&str; 9] =
    ["delete", "remove", "destroy", "purge", "erase", "revoke", "uninstall", "terminate", "wipe"];

/// Verbs of operations that change something.
const CHANGING: [&str; 14] = [
    "create", "update", "add", "set", "post", "put", "patch", "send", "move", "merge", "edit", "save",
    "start", "cancel",
];

/// Returns the class of an operation, from its HTTP method (RFC 9110, section 9.2.1) and the words of its name.
pub(crate) fn classify(method: &Method, name: &str) -> OperationClass {
    let mut words = name.split('_').filter(|word| !word.is_empty());
    if method == Method::DELETE || words.clone().any(|word| DESTROYING.contains(&word)) {
        return OperationClass::Destructive;
    }
    match *method {
        Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE => OperationClass::Read,
        Method::POST if words.any(|word| READING.contains(&word)) && !writes(name) => OperationClass::Read,
        _ => OperationClass::Write,
    }
}

/// Returns whether a name also holds a verb that changes something: `create_search`, `update_list`.
fn writes(name: &str) -> bool {
    name.split('_').any(|word| CHANGING.contains(&word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_method_and_the_verb_decide() {
        use OperationClass::{Destructive, Read, Write};
        let table = [
            ("GET", "list_pets", Read),
            ("HEAD", "x", Read),
            ("POST", "create_pet", Write),
            ("POST", "post_search", Write),
            ("POST", "search_pets", Read),
            ("POST", "query_database", Read),
            ("POST", "create_search", Write),
            ("POST", "delete_many", Destructive),
            ("GET", "delete_session", Destructive),
            ("PUT", "replace_pet", Write),
            ("PATCH", "update_pet", Write),
            ("DELETE", "x", Destructive),
        ];
        for (method, name, expected) in table {
            let method = method.parse().expect("a method");
            assert_eq!(classify(&method, name), expected, "{method} {name}");
        }
    }
}
