//! Instrumentation of filters: the syntax tree of a filter is rewritten so that each of its parts counts its values.
//!
//! jaq runs a filter without a bound of its own. Invariant: each loop of an instrumented filter counts, and each value
//! that an operator builds is weighed.

use std::collections::HashSet;

use jaq_core::load::lex::StrPart;
use jaq_core::load::parse::{BinaryOp, Def, Pattern, Term};
use jaq_core::ops::{Cmp, Math};
use jaq_core::path::{Part, Path};

use super::unknown_function;

/// The native filter that counts one step.
pub(super) const TICK: &str = "loggia_tick";
/// The native filter that counts the parts of a value.
pub(super) const WEIGH: &str = "loggia_weigh";
/// The native filter that multiplies, without strings: repetition would build any length.
pub(super) const MULTIPLY: &str = "loggia_multiply";

/// The native filters that compare, and count the parts that they compare.
pub(super) const COMPARE: [(&str, Cmp); 6] = [
    ("loggia_lt", Cmp::Lt),
    ("loggia_le", Cmp::Le),
    ("loggia_gt", Cmp::Gt),
    ("loggia_ge", Cmp::Ge),
    ("loggia_eq", Cmp::Eq),
    ("loggia_ne", Cmp::Ne),
];
/// The native filter that subtracts, and counts the comparisons of lists.
pub(super) const SUBTRACT: &str = "loggia_subtract";
/// The native filter that counts as many steps as comparing its input with its argument may take.
pub(super) const CHARGE: &str = "loggia_charge";
/// The native filter that refuses a text which the JSON reader of jaq, that has no bounds, must not get.
pub(super) const GUARD: &str = "loggia_guard";
/// The function that reads JSON. Others of the library call it.
const READER: &str = "fromjson";
/// The variable that holds the argument of a charged function.
const ARGUMENT: &str = "$loggia_argument";
/// Functions, of the library too, that compare each part of their input with each part of their first argument.
const CHARGED: [&str; 5] = ["contains", "indices", "matches", "split_matches", "split_"];
/// Native functions that read each part of their input, and of the values of their argument for it.
const READS_ALL: [&str; 10] = [
    "explode",
    "group_by",
    "implode",
    "keys_unsorted",
    "key_values",
    "max_by_or_empty",
    "min_by_or_empty",
    "reverse",
    "sort",
    "sort_by",
];
/// Native functions that read the whole of a string.
const READS_TEXT: [&str; 20] = [
    "ascii_downcase",
    "ascii_upcase",
    "decode_base64",
    "decode_uri",
    "encode_base64",
    "encode_uri",
    "endswith",
    "escape_html",
    "escape_sh",
    "length",
    "ltrim",
    "ltrimstr",
    "rtrim",
    "rtrimstr",
    "startswith",
    "strftime",
    "strptime",
    "trim",
    "unescape_html",
    "utf8bytelength",
];

/// The functions of filters, each with its number of arguments. All of them end by themselves, and none reads anything
/// but its input.
const FUNCTIONS: [(&str, usize); 113] = [
    ("abs", 0),
    ("add", 0),
    ("add", 1),
    ("all", 0),
    ("all", 1),
    ("all", 2),
    ("any", 0),
    ("any", 1),
    ("any", 2),
    ("arrays", 0),
    ("ascii_downcase", 0),
    ("ascii_upcase", 0),
    ("booleans", 0),
    ("capture", 1),
    ("capture", 2),
    ("ceil", 0),
    ("contains", 1),
    ("del", 1),
    ("delpaths", 1),
    ("empty", 0),
    ("endswith", 1),
    ("error", 0),
    ("error", 1),
    ("explode", 0),
    ("false", 0),
    ("first", 0),
    ("first", 1),
    ("flatten", 0),
    ("flatten", 1),
    ("floor", 0),
    ("from_entries", 0),
    ("fromdate", 0),
    ("fromdateiso8601", 0),
    ("fromjson", 0),
    ("getpath", 1),
    ("gmtime", 0),
    ("group_by", 1),
    ("gsub", 2),
    ("gsub", 3),
    ("has", 1),
    ("implode", 0),
    ("in", 1),
    ("index", 1),
    ("indices", 1),
    ("inside", 1),
    ("isempty", 1),
    ("iterables", 0),
    ("join", 1),
    ("keys", 0),
    ("keys_unsorted", 0),
    ("last", 0),
    ("last", 1),
    ("length", 0),
    ("limit", 2),
    ("ltrim", 0),
    ("ltrimstr", 1),
    ("map", 1),
    ("map_values", 1),
    ("match", 1),
    ("match", 2),
    ("max", 0),
    ("max_by", 1),
    ("min", 0),
    ("min_by", 1),
    ("mktime", 0),
    ("not", 0),
    ("nth", 1),
    ("nth", 2),
    ("null", 0),
    ("nulls", 0),
    ("numbers", 0),
    ("objects", 0),
    ("path", 1),
    ("paths", 0),
    ("paths", 1),
    ("pick", 1),
    ("range", 1),
    ("range", 2),
    ("range", 3),
    ("recurse", 0),
    ("reverse", 0),
    ("rindex", 1),
    ("round", 0),
    ("rtrim", 0),
    ("rtrimstr", 1),
    ("scalars", 0),
    ("scan", 1),
    ("select", 1),
    ("setpath", 2),
    ("sort", 0),
    ("sort_by", 1),
    ("split", 1),
    ("split", 2),
    ("startswith", 1),
    ("strftime", 1),
    ("strings", 0),
    ("strptime", 1),
    ("sub", 2),
    ("sub", 3),
    ("test", 1),
    ("test", 2),
    ("to_entries", 0),
    ("toboolean", 0),
    ("todate", 0),
    ("todateiso8601", 0),
    ("tojson", 0),
    ("tonumber", 0),
    ("tostring", 0),
    ("transpose", 0),
    ("trim", 0),
    ("true", 0),
    ("type", 0),
    ("unique", 0),
];
/// More functions, whose names begin alike.
const MORE: [(&str, usize); 5] =
    [("unique_by", 1), ("utf8bytelength", 0), ("values", 0), ("walk", 1), ("with_entries", 1)];
/// The formats of strings: `@base64 "\(.name)"`.
const FORMATS: [&str; 8] = ["@base64", "@base64d", "@html", "@json", "@sh", "@text", "@uri", "@urid"];

/// Returns the functions of filters, each with its number of arguments.
pub(super) fn functions() -> impl Iterator<Item = (&'static str, usize)> {
    FUNCTIONS.iter().chain(&MORE).copied()
}

/// Checks that a filter has only the constructs and functions that end by themselves.
pub(super) fn check(term: &Term<&str>) -> Result<(), String> {
    match term {
        Term::Def(..) => return Err("definitions (def) are not allowed in a manifest".to_owned()),
        Term::Label(..) | Term::Break(..) => return Err("label and break are not allowed".to_owned()),
        Term::Call(name, args) => {
            let is_known = functions().any(|known| known == (*name, args.len()))
                || (FORMATS.contains(name) && args.is_empty());
            if !is_known {
                return Err(unknown_function(name, args.len()));
            }
        }
        Term::Str(Some(format), _) if !FORMATS.contains(format) => {
            return Err(format!("there is no format '{format}'; use one of {}", FORMATS.join(", ")));
        }
        Term::BinOp(_, BinaryOp::UpdateMath(op @ (Math::Mul | Math::Sub)), _) => {
            return Err(format!("'{}=' is not allowed: write out the operation", op.as_str()));
        }
        Term::Var("$ENV" | "$__loc__" | "$__prog_args") => {
            return Err("a filter sees nothing but its input".to_owned());
        }
        _ => {}
    }
    let mut result = Ok(());
    each_part(term, &mut |part| {
        if result.is_ok() {
            result = check(part);
        }
    });
    result
}

/// Functions that the instrumentation and jaq itself call.
const ALWAYS_NEEDED: [&str; 5] = ["first", "empty", "tostring", "error", "not"];

/// Returns the names of the definitions that a filter needs. The whole library would take most of the time to compile.
pub(super) fn needed<'s>(term: &Term<&'s str>, library: &[Def<&'s str>]) -> HashSet<&'s str> {
    let mut names: HashSet<&'s str> = ALWAYS_NEEDED.into_iter().collect();
    let mut open: Vec<&'s str> = ALWAYS_NEEDED.to_vec();
    calls(term, &mut |name| open.push(name));
    while let Some(name) = open.pop() {
        let definitions = library.iter().filter(|def| def.name == name);
        if names.insert(name) || ALWAYS_NEEDED.contains(&name) {
            definitions.for_each(|def| {
                calls(&def.body, &mut |inner| {
                    if !names.contains(inner) {
                        open.push(inner);
                    }
                });
            });
        }
    }
    names
}

fn calls<'s>(term: &Term<&'s str>, visit: &mut dyn FnMut(&'s str)) {
    match term {
        Term::Call(name, _) | Term::Str(Some(name), _) => visit(name),
        _ => {}
    }
    each_part(term, &mut |part| calls(part, visit));
}

fn each_part<'t, 's>(term: &'t Term<&'s str>, visit: &mut dyn FnMut(&'t Term<&'s str>)) {
    match term {
        Term::Str(_, parts) => {
            for part in parts {
                if let StrPart::Term(term) = part {
                    visit(term);
                }
            }
        }
        Term::Arr(Some(inner)) | Term::Neg(inner) | Term::Label(_, inner) => visit(inner),
        Term::Obj(entries) => {
            for (key, value) in entries {
                visit(key);
                value.iter().for_each(&mut *visit);
            }
        }
        Term::BinOp(left, _, right) => {
            visit(left);
            visit(right);
        }
        Term::Fold(_, source, _, parts) => {
            visit(source);
            parts.iter().for_each(visit);
        }
        Term::TryCatch(body, handler) => {
            visit(body);
            handler.iter().for_each(|handler| visit(handler));
        }
        Term::IfThenElse(branches, otherwise) => {
            for (condition, then) in branches {
                visit(condition);
                visit(then);
            }
            otherwise.iter().for_each(|otherwise| visit(otherwise));
        }
        Term::Call(_, args) => args.iter().for_each(visit),
        Term::Path(head, path) => {
            visit(head);
            for (part, _) in &path.0 {
                match part {
                    Part::Index(index) => visit(index),
                    Part::Range(from, to) => from.iter().chain(to).for_each(&mut *visit),
                }
            }
        }
        Term::Def(defs, body) => {
            defs.iter().for_each(|def| visit(&def.body));
            visit(body);
        }
        Term::Id | Term::Recurse | Term::Num(_) | Term::Arr(None) | Term::Break(_) | Term::Var(_) => {}
    }
}

/// Rewrites a term so that it counts its values. The names of the native filters live as long as the program.
pub(super) fn instrument<'s>(term: Term<&'s str>) -> Term<&'s str> {
    let boxed = |term: Box<Term<&'s str>>| Box::new(instrument(*term));
    match term {
        Term::Id | Term::Num(_) | Term::Arr(None) | Term::Break(_) | Term::Var(_) => term,
        Term::Recurse => then(term, TICK),
        Term::Str(format, parts) => {
            let is_plain = parts.iter().all(|part| !matches!(part, StrPart::Term(_)));
            let parts = parts.into_iter().map(|part| match part {
                StrPart::Term(term) => StrPart::Term(instrument(term)),
                other => other,
            });
            let text = Term::Str(format, parts.collect());
            if is_plain { text } else { then(text, WEIGH) }
        }
        Term::Arr(Some(inner)) => then(Term::Arr(Some(boxed(inner))), WEIGH),
        Term::Neg(inner) => Term::Neg(boxed(inner)),
        Term::Obj(entries) => {
            let entries = entries.into_iter().map(|(key, value)| match value {
                Some(value) => (instrument(key), Some(instrument(value))),
                None => (key, None),
            });
            then(Term::Obj(entries.collect()), WEIGH)
        }
        Term::BinOp(left, op, right) => binary(instrument(*left), op, instrument(*right)),
        Term::Label(name, body) => Term::Label(name, boxed(body)),
        Term::Fold(name, source, pattern, parts) => {
            Term::Fold(name, boxed(source), pattern, parts.into_iter().map(instrument).collect())
        }
        Term::TryCatch(body, handler) => Term::TryCatch(boxed(body), handler.map(boxed)),
        Term::IfThenElse(branches, otherwise) => {
            let branches =
                branches.into_iter().map(|(condition, body)| (instrument(condition), instrument(body)));
            Term::IfThenElse(branches.collect(), otherwise.map(boxed))
        }
        Term::Def(defs, body) => {
            let defs = defs.into_iter().map(|def| Def { body: instrument(def.body), ..def });
            Term::Def(defs.collect(), boxed(body))
        }
        Term::Call(name, args) => call(name, args.into_iter().map(instrument).collect()),
        Term::Path(head, path) => {
            let path = path.0.into_iter().map(|(part, opt)| {
                let part = match part {
                    Part::Index(index) => Part::Index(single(index)),
                    Part::Range(from, to) => Part::Range(from.map(single), to.map(single)),
                };
                (part, opt)
            });
            let path: Vec<_> = path.collect();
            // A range of a string counts its characters.
            let has_range = path.iter().any(|(part, _)| matches!(part, Part::Range(..)));
            let head = if has_range { Box::new(then(instrument(*head), TICK)) } else { boxed(head) };
            then(Term::Path(head, Path(path)), TICK)
        }
    }
}

/// An index gives one value: jaq combines all values of all indexes of a path without a value in between.
fn single(index: Term<&str>) -> Term<&str> {
    match index {
        Term::Str(_, _) | Term::Num(_) | Term::Var(_) => instrument(index),
        index => Term::Call("first", vec![instrument(index)]),
    }
}

fn call<'s>(name: &'s str, mut args: Vec<Term<&'s str>>) -> Term<&'s str> {
    if name == READER {
        return then(after(GUARD, Term::Call(name, args)), TICK);
    }
    if name == "tojson" {
        return then(after(WEIGH, Term::Call(name, args)), WEIGH);
    }
    if READS_ALL.contains(&name) {
        let args = args.into_iter().map(|arg| then(arg, WEIGH)).collect();
        return then(after(WEIGH, Term::Call(name, args)), WEIGH);
    }
    if READS_TEXT.contains(&name) {
        return then(after(TICK, Term::Call(name, args)), TICK);
    }
    if !CHARGED.contains(&name) || args.is_empty() {
        return then(Term::Call(name, args), TICK);
    }
    let argument = std::mem::replace(&mut args[0], Term::Var(ARGUMENT));
    let charge = Term::Call(CHARGE, vec![Term::Var(ARGUMENT)]);
    let charged =
        Term::BinOp(Box::new(charge), BinaryOp::Pipe(None), Box::new(then(Term::Call(name, args), WEIGH)));
    Term::BinOp(Box::new(argument), BinaryOp::Pipe(Some(Pattern::Var(ARGUMENT))), Box::new(charged))
}

fn binary<'s>(left: Term<&'s str>, op: BinaryOp<&'s str>, right: Term<&'s str>) -> Term<&'s str> {
    match op {
        BinaryOp::Math(Math::Mul) => then(Term::Call(MULTIPLY, vec![left, right]), WEIGH),
        BinaryOp::Math(Math::Sub) => then(Term::Call(SUBTRACT, vec![left, right]), WEIGH),
        BinaryOp::Pipe(_) | BinaryOp::Comma => Term::BinOp(Box::new(left), op, Box::new(right)),
        BinaryOp::Cmp(op) => {
            let native =
                COMPARE.iter().find(|(_, known)| *known == op).map_or(COMPARE[0].0, |(name, _)| name);
            then(Term::Call(native, vec![left, right]), TICK)
        }
        BinaryOp::Alt | BinaryOp::Or | BinaryOp::And => {
            then(Term::BinOp(Box::new(left), op, Box::new(right)), TICK)
        }
        BinaryOp::Math(_)
        | BinaryOp::Assign
        | BinaryOp::Update
        | BinaryOp::UpdateMath(_)
        | BinaryOp::UpdateAlt => then(Term::BinOp(Box::new(left), op, Box::new(right)), WEIGH),
    }
}

fn then<'s>(term: Term<&'s str>, native: &'static str) -> Term<&'s str> {
    Term::BinOp(Box::new(term), BinaryOp::Pipe(None), Box::new(Term::Call(native, Vec::new())))
}

fn after<'s>(native: &'static str, term: Term<&'s str>) -> Term<&'s str> {
    Term::BinOp(Box::new(Term::Call(native, Vec::new())), BinaryOp::Pipe(None), Box::new(term))
}
