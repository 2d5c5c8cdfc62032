//! `#[derive(FromJson)]`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::Fields;

use super::{JsonBody, JsonField, JsonType, JsonVariant, VARIANTS_WITHOUT_READER};

pub(crate) fn from_json(input: &JsonType<'_>) -> syn::Result<TokenStream> {
    let ident = input.ident;
    let (methods, fields) = match (&input.attributes.read_with, &input.body) {
        (Some(path), body) => (by_function(body, path), None),
        (None, JsonBody::Object(fields)) => (by_fields(fields), Some(read_fields(input, fields))),
        (None, JsonBody::Enum(variants)) if JsonType::is_names(variants) => (by_name(variants), None),
        (None, JsonBody::Enum(variants)) => (by_tag(input, variants)?, None),
    };
    Ok(quote! {
        #fields

        #[automatically_derived]
        impl ::loggia_wire::json::FromJson for #ident {
            #methods
        }

        #[automatically_derived]
        impl<'de> ::serde::Deserialize<'de> for #ident {
            fn deserialize<D: ::serde::Deserializer<'de>>(
                deserializer: D,
            ) -> ::core::result::Result<#ident, D::Error> {
                ::loggia_wire::json::deserialize(deserializer)
            }
        }
    })
}

fn read_fields(input: &JsonType<'_>, fields: &[JsonField<'_>]) -> TokenStream {
    let reads = fields.iter().map(|field| {
        let (ident, name, attributes) = (field.ident, &field.name, &field.attributes);
        match &attributes.read_with {
            Some(path) => quote!(object.field_with(#name, &mut self.#ident, #path);),
            None if attributes.flatten => {
                quote!(::loggia_wire::json::FieldsMut::read_fields(&mut self.#ident, object);)
            }
            None if attributes.default => quote!(object.field_or_default(#name, &mut self.#ident);),
            None => quote!(object.field(#name, &mut self.#ident);),
        }
    });
    let ident = input.ident;
    quote! {
        #[automatically_derived]
        impl ::loggia_wire::json::FieldsMut for #ident {
            fn read_fields(&mut self, object: &mut ::loggia_wire::json::ObjectReader<'_>) {
                #(#reads)*
            }
        }
    }
}

fn by_fields(fields: &[JsonField<'_>]) -> TokenStream {
    let idents = fields.iter().map(|field| field.ident);
    methods(
        &quote!(Self { #(#idents: ::loggia_wire::json::FromJson::empty(),)* }),
        &quote!(::loggia_wire::json::read_object(self, text)),
    )
}

fn by_name(variants: &[JsonVariant<'_>]) -> TokenStream {
    let names = variants.iter().map(|variant| &variant.name);
    let idents: Vec<_> = variants.iter().map(|variant| variant.ident).collect();
    let first = idents.first();
    methods(
        &quote!(Self::#first),
        &quote! {
            let at = ::loggia_wire::json::read_name(text, &[#(#names),*])?;
            *self = [#(Self::#idents),*][at];
            ::core::result::Result::Ok(())
        },
    )
}

fn by_tag(input: &JsonType<'_>, variants: &[JsonVariant<'_>]) -> syn::Result<TokenStream> {
    let Some(tag) = &input.attributes.tag else {
        return Err(input.error(VARIANTS_WITHOUT_READER));
    };
    variants.iter().try_for_each(JsonVariant::require_one_field)?;
    let names: Vec<_> = variants.iter().map(|variant| &variant.name).collect();
    let idents: Vec<_> = variants.iter().map(|variant| variant.ident).collect();
    let first = idents.first();
    Ok(methods(
        &quote!(Self::#first(::loggia_wire::json::FromJson::empty())),
        &quote! {
            let (kind, object) = ::loggia_wire::json::ObjectReader::tagged(text, #tag)?;
            *self = match &*kind {
                #(#names => Self::#idents(::loggia_wire::json::FromJson::empty()),)*
                other => {
                    let known = &[#(#names),*];
                    let error = ::loggia_wire::json::DecodeError::unknown_variant(other, known);
                    return ::core::result::Result::Err(error);
                }
            };
            let fields: &mut dyn ::loggia_wire::json::FieldsMut = match self {
                #(Self::#idents(value) => value,)*
            };
            object.read_into(fields)
        },
    ))
}

/// Reads with a function that returns a new value.
fn by_function(body: &JsonBody<'_>, path: &syn::Path) -> TokenStream {
    let empty = match body {
        JsonBody::Object(_) => quote!(::core::default::Default::default()),
        JsonBody::Enum(variants) => variants.first().map(JsonVariant::empty).unwrap_or_default(),
    };
    let methods = methods(
        &empty,
        &quote! {
            *self = #path(text)?;
            ::core::result::Result::Ok(())
        },
    );
    quote! {
        #methods

        fn from_json(text: &[u8]) -> ::core::result::Result<Self, ::loggia_wire::json::DecodeError> {
            #path(text)
        }
    }
}

impl JsonVariant<'_> {
    /// Returns the variant with empty fields.
    fn empty(&self) -> TokenStream {
        let ident = self.ident;
        match self.fields {
            Fields::Unit => quote!(Self::#ident),
            Fields::Named(fields) => {
                let names = fields.named.iter().filter_map(|field| field.ident.as_ref());
                quote!(Self::#ident { #(#names: ::loggia_wire::json::FromJson::empty()),* })
            }
            Fields::Unnamed(fields) => {
                let values = fields.unnamed.iter().map(|_| quote!(::loggia_wire::json::FromJson::empty()));
                quote!(Self::#ident(#(#values),*))
            }
        }
    }
}

fn methods(empty: &TokenStream, read: &TokenStream) -> TokenStream {
    quote! {
        fn empty() -> Self {
            #empty
        }

        fn read_json(&mut self, text: &[u8]) -> ::core::result::Result<(), ::loggia_wire::json::DecodeError> {
            #read
        }
    }
}
