//! `#[derive(ToJson)]` and `#[derive(FromJson)]`.
//!
//! The generated code is short, a list of fields for each type, because a program contains it for each type that it
//! uses.

mod attributes;
mod read;
mod write;

use proc_macro2::TokenStream;
use syn::{Data, DeriveInput, Fields, Ident};

use attributes::{FieldAttributes, TypeAttributes, VariantAttributes};

pub(crate) use read::from_json;
pub(crate) use write::to_json;

const VARIANTS_WITHOUT_READER: &str = "an enum with fields needs #[json(tag = \"…\")], or #[json(read_with = \"…\")] that tells its variants apart";

/// Reads the type and calls `derive`.
pub(crate) fn expand(
    item: TokenStream,
    derive: fn(&JsonType<'_>) -> syn::Result<TokenStream>,
) -> TokenStream {
    syn::parse2::<DeriveInput>(item)
        .and_then(|input| derive(&JsonType::read(&input)?))
        .unwrap_or_else(syn::Error::into_compile_error)
}

/// A type that is read and written as JSON.
pub(crate) struct JsonType<'a> {
    ident: &'a Ident,
    attributes: TypeAttributes,
    body: JsonBody<'a>,
}

enum JsonBody<'a> {
    Object(Vec<JsonField<'a>>),
    Enum(Vec<JsonVariant<'a>>),
}

struct JsonField<'a> {
    ident: &'a Ident,
    name: String,
    attributes: FieldAttributes,
}

struct JsonVariant<'a> {
    ident: &'a Ident,
    name: String,
    fields: &'a Fields,
}

impl<'a> JsonType<'a> {
    fn read(input: &'a DeriveInput) -> syn::Result<JsonType<'a>> {
        if !input.generics.params.is_empty() {
            return Err(syn::Error::new_spanned(&input.generics, "a type with parameters cannot be derived"));
        }
        let body = match &input.data {
            Data::Struct(data) => JsonBody::Object(JsonField::read_all(&data.fields)?),
            Data::Enum(data) => {
                JsonBody::Enum(data.variants.iter().map(JsonVariant::read).collect::<syn::Result<_>>()?)
            }
            Data::Union(data) => {
                return Err(syn::Error::new_spanned(data.union_token, "a union cannot be derived"));
            }
        };
        Ok(JsonType { ident: &input.ident, attributes: TypeAttributes::read(&input.attrs)?, body })
    }

    /// Returns whether the type is an enum of names.
    fn is_names(variants: &[JsonVariant<'_>]) -> bool {
        variants.iter().all(|variant| matches!(variant.fields, Fields::Unit))
    }

    fn error(&self, message: &str) -> syn::Error {
        syn::Error::new_spanned(self.ident, message)
    }
}

impl<'a> JsonField<'a> {
    fn read_all(fields: &'a Fields) -> syn::Result<Vec<JsonField<'a>>> {
        let named = fields.iter().map(|field| match &field.ident {
            Some(ident) => {
                let attributes = FieldAttributes::read(&field.attrs)?;
                let name = attributes.rename.clone().unwrap_or_else(|| camel_case(&ident.to_string()));
                Ok(JsonField { ident, name, attributes })
            }
            None => Err(syn::Error::new_spanned(field, "a field without a name cannot be derived")),
        });
        named.collect()
    }
}

impl<'a> JsonVariant<'a> {
    fn read(variant: &'a syn::Variant) -> syn::Result<JsonVariant<'a>> {
        let attributes = VariantAttributes::read(&variant.attrs)?;
        let name = attributes.rename.unwrap_or_else(|| uncapitalized(&variant.ident.to_string()));
        Ok(JsonVariant { ident: &variant.ident, name, fields: &variant.fields })
    }
}

/// Turns `snake_case` into `snakeCase`.
fn camel_case(name: &str) -> String {
    let mut words = name.split('_');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |name, word| {
        let mut letters = word.chars();
        let initial = letters.next().map(|letter| letter.to_ascii_uppercase());
        name + &initial.into_iter().chain(letters).collect::<String>()
    })
}

/// Turns `ThisServer` into `thisServer`.
fn uncapitalized(name: &str) -> String {
    let mut letters = name.chars();
    let initial = letters.next().map(|letter| letter.to_ascii_lowercase());
    initial.into_iter().chain(letters).collect()
}

#[cfg(test)]
mod tests {
    use quote::quote;

    use super::*;

    #[test]
    fn names_are_in_camel_case() {
        for (rust, json) in [("name", "name"), ("input_schema", "inputSchema"), ("ttl_ms", "ttlMs")] {
            assert_eq!(camel_case(rust), json);
        }
        for (rust, json) in [("User", "user"), ("ThisServer", "thisServer")] {
            assert_eq!(uncapitalized(rust), json);
        }
    }

    #[test]
    fn types_without_a_json_form_are_refused() {
        type Derive = fn(&JsonType<'_>) -> syn::Result<TokenStream>;
        let table: &[(TokenStream, Derive, &str)] = &[
            (
                quote!(
                    struct A<T> {
                        a: T,
                    }
                ),
                to_json,
                "a type with parameters cannot be derived",
            ),
            (
                quote!(
                    struct A(u8);
                ),
                to_json,
                "a field without a name cannot be derived",
            ),
            (quote!(union A { a: u8 }), from_json, "a union cannot be derived"),
            (
                quote!(
                    enum A {
                        One(u8),
                        Two,
                    }
                ),
                to_json,
                VARIANTS_WITHOUT_READER,
            ),
            (
                quote!(
                    enum A {
                        One(u8),
                    }
                ),
                from_json,
                VARIANTS_WITHOUT_READER,
            ),
            (
                quote!(
                    #[json(tag = "t")]
                    enum A {
                        One(u8, u8),
                    }
                ),
                to_json,
                "a variant needs exactly one field",
            ),
            (
                quote!(
                    #[json(flat)]
                    struct A {
                        a: u8,
                    }
                ),
                to_json,
                "unknown attribute of json",
            ),
            (
                quote!(
                    struct A {
                        #[json(skip)]
                        a: u8,
                    }
                ),
                to_json,
                "unknown attribute of json",
            ),
        ];
        for (item, derive, expected) in table {
            let expanded = expand(item.clone(), *derive).to_string();
            assert!(expanded.contains(&format!("{expected:?}")), "{item}: {expanded}");
        }
    }
}
