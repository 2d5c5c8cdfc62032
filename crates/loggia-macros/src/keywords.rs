//! Schema keywords in attributes (`#[arg(min = 1)]`, `#[schema(pattern = "…")]`) as calls on `Property`.

use proc_macro2::TokenStream;
use quote::quote;

use crate::items::{AttributeItem, AttributeItems};

const KNOWN: &str = "default, description, example, exclusive_max, exclusive_min, format, header, max, max_items, \
                     max_length, min, min_items, min_length, multiple_of, name, pattern, title, with";

/// Returns the calls `.with("minimum", 1)` and so on, for every keyword in `items`.
pub(crate) fn calls(items: &AttributeItems) -> syn::Result<TokenStream> {
    items.0.iter().map(call).collect()
}

fn call(item: &AttributeItem) -> syn::Result<TokenStream> {
    let keyword = match item.key.as_str() {
        // The callers read these two.
        "name" | "with" => return Ok(TokenStream::new()),
        "default" => return with_value(item, |value| quote!(.default_value(#value))),
        "description" => return with_value(item, |value| quote!(.description(#value))),
        "header" => return with_value(item, |value| quote!(.header(#value))),
        "example" => {
            return with_value(
                item,
                |value| quote!(.with("examples", ::std::vec![::loggia::schema::Value::from(#value)])),
            );
        }
        "min" => "minimum",
        "max" => "maximum",
        "exclusive_min" => "exclusiveMinimum",
        "exclusive_max" => "exclusiveMaximum",
        "min_length" => "minLength",
        "max_length" => "maxLength",
        "min_items" => "minItems",
        "max_items" => "maxItems",
        "multiple_of" => "multipleOf",
        "pattern" => "pattern",
        "format" => "format",
        "title" => "title",
        _ => return Err(item.unknown(KNOWN)),
    };
    with_value(item, |value| quote!(.with(#keyword, #value)))
}

fn with_value(
    item: &AttributeItem,
    tokens: impl FnOnce(&syn::Expr) -> TokenStream,
) -> syn::Result<TokenStream> {
    item.required().map(tokens)
}
