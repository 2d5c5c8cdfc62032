//! The attributes and derives of the loggia SDK.
//!
//! They only save repetition: each expands to calls of `loggia`'s public API that a developer could write, and none
//! gives a capability that the API does not have. The name of a function, its documentation and the types of its
//! parameters are written once.
//!
//! [`macro@ToJson`] and [`macro@FromJson`] are for `loggia-wire`: they generate the lists of fields of the protocol's
//! types.

mod block;
mod derive;
mod docs;
mod errors;
mod free;
mod function;
mod items;
mod json;
mod keywords;
mod kind;

use proc_macro::TokenStream;

use kind::EntryKind;

/// Makes tools from the functions with `#[tool]` in an `impl` block, and adds a function `tools()` to the type, which
/// returns them as `Vec<Tool<Self>>`. With `#[tools(name)]` the function is called `name`.
#[proc_macro_attribute]
pub fn tools(arguments: TokenStream, item: TokenStream) -> TokenStream {
    block::expand(EntryKind::Tool, arguments.into(), item.into()).into()
}

/// Makes prompts from the functions with `#[prompt]` in an `impl` block, and adds a function `prompts()` to the type,
/// which returns them as `Vec<Prompt<Self>>`.
#[proc_macro_attribute]
pub fn prompts(arguments: TokenStream, item: TokenStream) -> TokenStream {
    block::expand(EntryKind::Prompt, arguments.into(), item.into()).into()
}

/// Makes resources from the functions with `#[resource("uri")]` in an `impl` block, and adds a function `resources()`
/// to the type, which returns them as `Vec<Resource<Self>>`.
#[proc_macro_attribute]
pub fn resources(arguments: TokenStream, item: TokenStream) -> TokenStream {
    block::expand(EntryKind::Resource, arguments.into(), item.into()).into()
}

/// Makes a tool from a function. A method needs `#[tools]` on its `impl` block. The name of a free function can be
/// passed to `.tool(…)`, and the function can still be called.
///
/// * `read_only`, `destructive`, `idempotent`, `open_world`, each without a value or with `= false`: hints for the
///   client.
/// * `name = "…"`, `title = "…"`, `description = "…"`, `icon = "https://…"`.
///
/// `&self` is the server's state, `cx: &Cx` the request, a parameter marked `#[extract]` is taken from the
/// request by `FromRequest`, and in a free function `#[state]` marks the server's state. Every other
/// parameter comes from the model: its documentation comment is its description, `Option` makes it optional,
/// and `#[arg(…)]` says more (`default`, `header`, `min`, `max`, `min_length`, `max_length`, `pattern`,
/// `format`, `example`, `title`, `name`).
#[proc_macro_attribute]
pub fn tool(arguments: TokenStream, item: TokenStream) -> TokenStream {
    free::expand(EntryKind::Tool, arguments.into(), item.into()).into()
}

/// Makes a prompt of a function. Takes `name`, `title`, `description` and `icon`; parameters are texts or
/// types that can be parsed from one, and `#[complete(function)]` on a parameter names the function that
/// completes it.
#[proc_macro_attribute]
pub fn prompt(arguments: TokenStream, item: TokenStream) -> TokenStream {
    free::expand(EntryKind::Prompt, arguments.into(), item.into()).into()
}

/// Makes a resource, or with variables in its URI a resource template, of a function:
/// `#[resource("weather://{city}/now", mime = "application/json")]`. The parameters are the variables. Takes
/// `mime`, `name`, `title`, `description`, `icon` and `size`.
#[proc_macro_attribute]
pub fn resource(arguments: TokenStream, item: TokenStream) -> TokenStream {
    free::expand(EntryKind::Resource, arguments.into(), item.into()).into()
}

/// Derives `loggia::JsonSchema`. Honours serde's `rename`, `rename_all`, `default`, `skip`, `flatten`, `tag`,
/// `content`, `transparent`, `from`, `try_from`, `into` and `deny_unknown_fields`; documentation comments
/// become descriptions; `#[schema(…)]` takes what `#[arg(…)]` of [`macro@tool`] takes, and `with = "Type"` to
/// use another type's schema.
#[proc_macro_derive(JsonSchema, attributes(schema, serde))]
pub fn json_schema(item: TokenStream) -> TokenStream {
    derive::expand(item.into()).into()
}

/// Derives `loggia_wire::json::ToJson`, and serde's `Serialize` on top of it.
///
/// * A struct with named fields is an object, a field's name is its Rust name in camelCase. On a field:
///   `#[json(rename = "…")]`; `#[json(flatten)]` writes the fields of the field's type in its place.
/// * An enum of variants without fields is a string: the variant's name in camelCase, or `#[json(rename = "…")]`.
/// * An enum of variants with one field each has either `#[json(tag = "type")]`, and the member `type` holds the
///   variant's name, or `#[json(read_with = "path")]`, whose function tells the variants apart by their members.
/// * `#[json(write_with = "path")]` on the type: the function `path(&self) -> JsonRef<'_>` writes it instead.
///
/// This is a derive and not a declarative macro, because a derive reads the fields where they are declared. It does
/// not make a build of the SDK longer: serde and tokio need `syn` anyway, and this crate (3.4 s of CPU with all its
/// macros) is compiled at the same time as serde.
#[proc_macro_derive(ToJson, attributes(json))]
pub fn to_json(item: TokenStream) -> TokenStream {
    json::expand(item.into(), json::to_json).into()
}

/// Derives `loggia_wire::json::FromJson`, and serde's `Deserialize` on top of it.
///
/// Takes the attributes of [`macro@ToJson`], but `#[json(read_with = "path")]` in place of `write_with`: `path(text:
/// &[u8]) -> Result<Self, DecodeError>`. It is required on an enum with fields and without a tag. It may stand on a
/// field too. A field with `#[json(default)]` may be absent.
#[proc_macro_derive(FromJson, attributes(json))]
pub fn from_json(item: TokenStream) -> TokenStream {
    json::expand(item.into(), json::from_json).into()
}
