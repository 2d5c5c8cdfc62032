//! The comma-separated arguments of an attribute: `read_only, title = "Alerts", rename(serialize = "a")`.

use proc_macro2::Span;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Attribute, Expr, ExprLit, Lit, Token, ext::IdentExt};

/// One argument.
#[derive(Clone)]
pub(crate) struct AttributeItem {
    /// Its key; empty for a bare value.
    pub(crate) key: String,
    pub(crate) span: Span,
    pub(crate) value: Option<Expr>,
    pub(crate) nested: Vec<AttributeItem>,
}

/// All arguments of one attribute.
#[derive(Default)]
pub(crate) struct AttributeItems(pub(crate) Vec<AttributeItem>);

impl Parse for AttributeItems {
    fn parse(input: ParseStream<'_>) -> syn::Result<AttributeItems> {
        let items = Punctuated::<AttributeItem, Token![,]>::parse_terminated(input)?;
        Ok(AttributeItems(items.into_iter().collect()))
    }
}

impl Parse for AttributeItem {
    fn parse(input: ParseStream<'_>) -> syn::Result<AttributeItem> {
        let span = input.span();
        if !input.peek(syn::Ident::peek_any) {
            return Ok(AttributeItem {
                key: String::new(),
                span,
                value: Some(input.parse()?),
                nested: Vec::new(),
            });
        }
        let mut item = AttributeItem { key: key(input)?, span, value: None, nested: Vec::new() };
        if input.peek(Token![=]) {
            input.parse::<Token![=]>()?;
            item.value = Some(input.parse()?);
        } else if input.peek(syn::token::Paren) {
            let content;
            syn::parenthesized!(content in input);
            item.nested = content.parse::<AttributeItems>()?.0;
        }
        Ok(item)
    }
}

/// Returns a key, which may be a keyword or a path (`a::b`).
fn key(input: ParseStream<'_>) -> syn::Result<String> {
    let mut key = input.call(syn::Ident::parse_any)?.unraw().to_string();
    while input.peek(Token![::]) {
        input.parse::<Token![::]>()?;
        key = format!("{key}::{}", input.call(syn::Ident::parse_any)?);
    }
    Ok(key)
}

impl AttributeItems {
    /// Returns the arguments of every attribute called `name`.
    pub(crate) fn of(attributes: &[Attribute], name: &str) -> syn::Result<AttributeItems> {
        let mut all = Vec::new();
        for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident(name)) {
            all.extend(attribute.parse_args::<AttributeItems>()?.0);
        }
        Ok(AttributeItems(all))
    }

    pub(crate) fn get(&self, key: &str) -> Option<&AttributeItem> {
        self.0.iter().find(|item| item.key == key)
    }

    pub(crate) fn has(&self, key: &str) -> bool {
        self.get(key).is_some()
    }
}

impl AttributeItem {
    /// Returns the value if it is a string.
    pub(crate) fn text(&self) -> Option<String> {
        match &self.value {
            Some(Expr::Lit(ExprLit { lit: Lit::Str(text), .. })) => Some(text.value()),
            _ => None,
        }
    }

    /// Returns the value, which is required.
    pub(crate) fn required(&self) -> syn::Result<&Expr> {
        let key = &self.key;
        self.value
            .as_ref()
            .ok_or_else(|| syn::Error::new(self.span, format!("`{key}` needs a value: `{key} = …`")))
    }

    pub(crate) fn unknown(&self, known: &str) -> syn::Error {
        syn::Error::new(self.span, format!("unknown argument `{}`; known are {known}", self.key))
    }
}
