//! `#[derive(ToJson)]`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::Fields;

use super::{JsonBody, JsonField, JsonType, JsonVariant, VARIANTS_WITHOUT_READER};

pub(crate) fn to_json(input: &JsonType<'_>) -> syn::Result<TokenStream> {
    let ident = input.ident;
    let (body, fields) = match (&input.attributes.write_with, &input.body) {
        (Some(path), _) => (quote!(#path(self)), None),
        (None, JsonBody::Object(fields)) => {
            (quote!(::loggia_wire::json::JsonRef::Object(self)), Some(each_field(input, fields)))
        }
        (None, JsonBody::Enum(variants)) => (of_variants(input, variants)?, None),
    };
    Ok(quote! {
        #fields

        #[automatically_derived]
        impl ::loggia_wire::json::ToJson for #ident {
            fn to_json(&self) -> ::loggia_wire::json::JsonRef<'_> {
                #body
            }
        }

        #[automatically_derived]
        impl ::serde::Serialize for #ident {
            fn serialize<S: ::serde::Serializer>(
                &self,
                serializer: S,
            ) -> ::core::result::Result<S::Ok, S::Error> {
                ::serde::Serialize::serialize(&::loggia_wire::json::ToJson::to_json(self), serializer)
            }
        }
    })
}

fn each_field(input: &JsonType<'_>, fields: &[JsonField<'_>]) -> TokenStream {
    let visits = fields.iter().map(|field| {
        let (ident, name) = (field.ident, &field.name);
        match field.attributes.flatten {
            true => quote!(::loggia_wire::json::Fields::each_field(&self.#ident, visit);),
            false => quote!(visit(#name, &self.#ident);),
        }
    });
    let ident = input.ident;
    quote! {
        #[automatically_derived]
        impl ::loggia_wire::json::Fields for #ident {
            fn each_field(&self, visit: &mut dyn FnMut(&str, &dyn ::loggia_wire::json::ToJson)) {
                #(#visits)*
            }
        }
    }
}

fn of_variants(input: &JsonType<'_>, variants: &[JsonVariant<'_>]) -> syn::Result<TokenStream> {
    let attributes = &input.attributes;
    let is_names = JsonType::is_names(variants);
    if !is_names && attributes.tag.is_none() && attributes.read_with.is_none() {
        return Err(input.error(VARIANTS_WITHOUT_READER));
    }
    let mut arms = Vec::new();
    for variant in variants {
        let (ident, name) = (variant.ident, &variant.name);
        arms.push(match (is_names, &attributes.tag) {
            (true, _) => quote!(Self::#ident => ::loggia_wire::json::JsonRef::String(#name),),
            (false, Some(tag)) => {
                variant.require_one_field()?;
                quote!(Self::#ident(value) => ::loggia_wire::json::JsonRef::Tagged(#tag, #name, value),)
            }
            (false, None) => {
                variant.require_one_field()?;
                quote!(Self::#ident(value) => ::loggia_wire::json::ToJson::to_json(value),)
            }
        });
    }
    Ok(quote!(match self { #(#arms)* }))
}

impl JsonVariant<'_> {
    pub(super) fn require_one_field(&self) -> syn::Result<()> {
        match self.fields {
            Fields::Unnamed(fields) if fields.unnamed.len() == 1 => Ok(()),
            _ => Err(syn::Error::new_spanned(self.ident, "a variant needs exactly one field")),
        }
    }
}
