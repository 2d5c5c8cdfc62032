//! `#[derive(JsonSchema)]`.

mod container;
mod rename;

use proc_macro2::TokenStream;
use quote::quote;
use syn::spanned::Spanned;
use syn::{
    Data, DeriveInput, Field, Fields, FieldsNamed, FieldsUnnamed, Generics, Type, Variant, parse_quote,
};

use crate::docs;
use crate::errors::Errors;
use crate::items::AttributeItems;
use crate::keywords;
use container::{ContainerAttributes, SerdeName, Tagging};

pub(crate) fn expand(item: TokenStream) -> TokenStream {
    let input = match syn::parse2::<DeriveInput>(item) {
        Ok(input) => input,
        Err(error) => return error.into_compile_error(),
    };
    let mut errors = Errors::default();
    let container = errors.keep(ContainerAttributes::read(&input.attrs));
    let schema = schema(&input, &container, &mut errors);
    if !errors.is_empty() {
        return errors.into_tokens();
    }
    let generics = bounded(input.generics.clone());
    let (impl_generics, type_generics, clause) = generics.split_for_impl();
    let (ident, name) = (&input.ident, input.ident.to_string());
    quote! {
        #[automatically_derived]
        impl #impl_generics ::loggia::schema::JsonSchema for #ident #type_generics #clause {
            fn schema(generator: &mut ::loggia::schema::Generator) -> ::loggia::schema::Schema {
                #schema
            }

            fn name() -> ::core::option::Option<&'static str> {
                ::core::option::Option::Some(#name)
            }
        }
    }
}

/// Adds a bound to every type parameter: it must have a schema.
fn bounded(mut generics: Generics) -> Generics {
    for parameter in generics.type_params_mut() {
        parameter.bounds.push(parse_quote!(::loggia::schema::JsonSchema));
    }
    generics
}

fn schema(input: &DeriveInput, container: &ContainerAttributes, errors: &mut Errors) -> TokenStream {
    let description = description(input, container);
    let title = container.title.as_ref().map(|title| quote!(.with("title", #title)));
    let body = match (&container.stands_for, &input.data) {
        (Some(by_direction), _) => by_direction.clone(),
        (None, Data::Struct(data)) => fields(&data.fields, container, &container.rename_fields, errors),
        (None, Data::Enum(data)) => {
            let variants: Vec<&Variant> = data.variants.iter().collect();
            enumeration(&variants, container, errors)
        }
        (None, Data::Union(_)) => {
            errors.at(input.ident.span(), "a union has no JSON form");
            quote!()
        }
    };
    quote!({ #body }.described(#description) #title)
}

/// Returns the docs of the type and, for an enum of plain names, of each name: few strict clients read descriptions
/// of single names.
fn description(input: &DeriveInput, container: &ContainerAttributes) -> String {
    let mut text = container.description.clone();
    let Data::Enum(data) = &input.data else { return text };
    if container.stands_for.is_some()
        || data.variants.iter().any(|variant| !matches!(variant.fields, Fields::Unit))
    {
        return text;
    }
    for variant in &data.variants {
        let docs = docs::of(&variant.attrs);
        let Ok(serde) = AttributeItems::of(&variant.attrs, "serde") else { continue };
        if !docs.is_empty() && !serde.has("skip") {
            let name =
                SerdeName::of(&serde).or(&container.rename_variants).read_variant(&variant.ident.to_string());
            text = format!("{text}\n- {name}: {docs}");
        }
    }
    text.trim_start().to_owned()
}

/// Returns the schema of a struct's, or a variant's, fields.
fn fields(
    all: &Fields,
    container: &ContainerAttributes,
    rename: &SerdeName,
    errors: &mut Errors,
) -> TokenStream {
    match all {
        Fields::Named(named) if container.transparent => {
            match named.named.iter().find(|field| !is_skipped(field)) {
                Some(field) => sub(&field.ty),
                None => quote!(::loggia::schema::Schema::typed("null")),
            }
        }
        Fields::Named(named) => {
            let object = object(named, container, rename, errors);
            quote!(#object object.finish())
        }
        Fields::Unnamed(unnamed) => tuple(unnamed, errors),
        Fields::Unit => quote!(::loggia::schema::Schema::typed("null")),
    }
}

/// Returns statements that put the members of `named` into a variable `object`.
fn object(
    named: &FieldsNamed,
    container: &ContainerAttributes,
    rename: &SerdeName,
    errors: &mut Errors,
) -> TokenStream {
    let members: Vec<_> =
        named.named.iter().map(|field| errors.keep(member(field, container, rename))).collect();
    let closed = container.closed.then(|| quote!(object = object.closed();));
    quote! {
        let mut object = ::loggia::schema::Object::new();
        #closed
        #(#members)*
    }
}

/// Returns the statement that adds one field to `object`.
fn member(field: &Field, container: &ContainerAttributes, rename: &SerdeName) -> syn::Result<TokenStream> {
    let serde = AttributeItems::of(&field.attrs, "serde")?;
    let own = AttributeItems::of(&field.attrs, "schema")?;
    if serde.has("skip") {
        return Ok(TokenStream::new());
    }
    let ty = with_type(&own)?.unwrap_or_else(|| field.ty.clone());
    let span = field.ty.span();
    let add = if serde.has("flatten") {
        quote::quote_spanned!(span=> object = object.flatten::<#ty>(generator);)
    } else {
        let ident = field
            .ident
            .as_ref()
            .map(|ident| syn::ext::IdentExt::unraw(ident).to_string())
            .unwrap_or_default();
        let name = SerdeName::of(&serde).or(rename).apply_to_field(&ident);
        let docs = docs::of(&field.attrs);
        let keywords = keywords::calls(&own)?;
        let defaulted = (serde.has("default") || container.defaulted).then(|| quote!(.defaulted()));
        let skipped = serde.has("skip_serializing_if").then(|| quote!(.skipped_when_empty()));
        let property = quote::quote_spanned!(span=> ::loggia::schema::Property::new::<#ty>(#name));
        quote!(object = object.property(generator, #property.description(#docs) #defaulted #skipped #keywords);)
    };
    Ok(match (serde.has("skip_deserializing"), serde.has("skip_serializing")) {
        (true, true) => TokenStream::new(),
        (true, false) => quote!(if generator.direction() == ::loggia::schema::Direction::Output { #add }),
        (false, true) => quote!(if generator.direction() == ::loggia::schema::Direction::Input { #add }),
        (false, false) => add,
    })
}

fn is_skipped(field: &Field) -> bool {
    AttributeItems::of(&field.attrs, "serde").is_ok_and(|items| items.has("skip"))
}

/// Reads `#[schema(with = "Type")]`.
fn with_type(own: &AttributeItems) -> syn::Result<Option<Type>> {
    let Some(item) = own.get("with") else { return Ok(None) };
    match item.text() {
        Some(text) => syn::parse_str(&text).map(Some).map_err(|error| syn::Error::new(item.span, error)),
        None => Err(syn::Error::new(item.span, "name the type as a text: `with = \"String\"`")),
    }
}

fn tuple(unnamed: &FieldsUnnamed, errors: &mut Errors) -> TokenStream {
    let types: Vec<Type> = unnamed
        .unnamed
        .iter()
        .filter(|field| !is_skipped(field))
        .map(|field| {
            let own = errors.keep(AttributeItems::of(&field.attrs, "schema"));
            errors.keep(with_type(&own)).unwrap_or_else(|| field.ty.clone())
        })
        .collect();
    match types.as_slice() {
        [only] => newtype(only, unnamed, errors),
        types => {
            let schemas = types.iter().map(sub);
            quote!(::loggia::schema::Schema::tuple([#(#schemas),*]))
        }
    }
}

/// Returns the schema of a newtype: that of its field, with its own keywords.
fn newtype(ty: &Type, unnamed: &FieldsUnnamed, errors: &mut Errors) -> TokenStream {
    let field = unnamed.unnamed.iter().find(|field| !is_skipped(field));
    let own = field.map(|field| errors.keep(AttributeItems::of(&field.attrs, "schema"))).unwrap_or_default();
    let with: Vec<_> = own.0.into_iter().filter(|item| item.key != "with").collect();
    let schema = sub(ty);
    if with.is_empty() {
        return schema;
    }
    let keywords = errors.keep(keywords::calls(&AttributeItems(with)));
    quote! {
        let property = ::loggia::schema::Property::new::<#ty>("") #keywords;
        property.schema(generator)
    }
}

fn sub(ty: &Type) -> TokenStream {
    quote::quote_spanned!(ty.span()=> generator.subschema::<#ty>())
}

fn enumeration(variants: &[&Variant], container: &ContainerAttributes, errors: &mut Errors) -> TokenStream {
    let kept: Vec<_> = variants
        .iter()
        .filter_map(|variant| {
            let serde = errors.keep(AttributeItems::of(&variant.attrs, "serde"));
            (!serde.has("skip")).then_some((*variant, serde))
        })
        .collect();
    let units_only = kept.iter().all(|(variant, _)| matches!(variant.fields, Fields::Unit));
    match &container.tagging {
        Tagging::External if units_only => names(&kept, container, errors),
        tagging => {
            let schemas: Vec<_> = kept
                .iter()
                .map(|(variant, serde)| variant_schema(variant, serde, tagging, container, errors))
                .collect();
            quote!(::loggia::schema::Schema::any_of([#(#schemas),*]))
        }
    }
}

/// Returns the schema of an enum of plain names.
fn names(
    variants: &[(&Variant, AttributeItems)],
    container: &ContainerAttributes,
    errors: &mut Errors,
) -> TokenStream {
    let mut names = Vec::new();
    let mut titles = Vec::new();
    for (variant, serde) in variants {
        let own = errors.keep(AttributeItems::of(&variant.attrs, "schema"));
        let name = SerdeName::of(serde).or(&container.rename_variants);
        names.push(name.apply_to_variant(&variant.ident.to_string()));
        titles.push(own.get("title").and_then(|item| item.text()));
    }
    if titles.iter().all(Option::is_none) {
        return quote!(::loggia::schema::Schema::one_of_strings([#(#names),*]));
    }
    let pairs = names.iter().zip(&titles).map(|(name, title)| match title {
        Some(title) => quote!((#name, #title)),
        None => quote!((#name, #name)),
    });
    quote!(::loggia::schema::Schema::titled_strings([#(#pairs),*]))
}

fn variant_schema(
    variant: &Variant,
    serde: &AttributeItems,
    tagging: &Tagging,
    container: &ContainerAttributes,
    errors: &mut Errors,
) -> TokenStream {
    let name =
        SerdeName::of(serde).or(&container.rename_variants).apply_to_variant(&variant.ident.to_string());
    let docs = docs::of(&variant.attrs);
    let own_rename = SerdeName::rename_all(serde);
    let rename = if own_rename.is_empty() { &container.rename_variant_fields } else { &own_rename };
    let inner =
        ContainerAttributes { closed: false, transparent: false, defaulted: false, ..container.clone() };
    let content = fields(&variant.fields, &inner, rename, errors);
    let is_unit = matches!(variant.fields, Fields::Unit);
    let body = match tagging {
        Tagging::External if is_unit => quote!(::loggia::schema::Schema::one_of_strings([#name])),
        Tagging::External => quote! {
            let content = { #content };
            ::loggia::schema::Object::new().member(#name, content).closed().finish()
        },
        Tagging::Internal(tag) => internally(variant, tag, &name, &inner, rename, errors),
        Tagging::Adjacent(tag, _) if is_unit => {
            quote!(::loggia::schema::Object::new().tag(#tag, #name).finish())
        }
        Tagging::Adjacent(tag, content_name) => quote! {
            let content = { #content };
            ::loggia::schema::Object::new().tag(#tag, #name).member(#content_name, content).finish()
        },
    };
    quote!({ #body }.described(#docs))
}

fn internally(
    variant: &Variant,
    tag: &str,
    name: &TokenStream,
    inner: &ContainerAttributes,
    rename: &SerdeName,
    errors: &mut Errors,
) -> TokenStream {
    match &variant.fields {
        Fields::Unit => quote!(::loggia::schema::Object::new().tag(#tag, #name).finish()),
        Fields::Named(named) => {
            let object = object(named, inner, rename, errors);
            quote!(#object object.tag(#tag, #name).finish())
        }
        Fields::Unnamed(unnamed) => match unnamed.unnamed.first() {
            Some(field) if unnamed.unnamed.len() == 1 => {
                let ty = &field.ty;
                quote!(::loggia::schema::Object::new().flatten::<#ty>(generator).tag(#tag, #name).finish())
            }
            _ => {
                errors.at(variant.ident.span(), "a variant with several unnamed fields cannot carry a tag");
                quote!()
            }
        },
    }
}
