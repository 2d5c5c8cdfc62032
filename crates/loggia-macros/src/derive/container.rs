//! Reads the attributes of a type that apply to the whole type.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Attribute, Type};

use super::rename::RenameRule;
use crate::docs;
use crate::items::{AttributeItem, AttributeItems};

/// Attributes of a struct or an enum.
#[derive(Clone, Default)]
pub(crate) struct ContainerAttributes {
    pub(crate) description: String,
    pub(crate) title: Option<String>,
    /// The schema of the type that it is read from and written as, if that is another type.
    pub(crate) stands_for: Option<TokenStream>,
    pub(crate) transparent: bool,
    pub(crate) defaulted: bool,
    /// `deny_unknown_fields`.
    pub(crate) closed: bool,
    pub(crate) tagging: Tagging,
    pub(crate) rename_fields: SerdeName,
    pub(crate) rename_variants: SerdeName,
    /// `rename_all_fields`.
    pub(crate) rename_variant_fields: SerdeName,
}

/// The representation of an enum's variants (serde, "Enum representations").
#[derive(Clone, Default)]
pub(crate) enum Tagging {
    #[default]
    External,
    Internal(String),
    Adjacent(String, String),
}

impl ContainerAttributes {
    pub(crate) fn read(attributes: &[Attribute]) -> syn::Result<ContainerAttributes> {
        let serde = AttributeItems::of(attributes, "serde")?;
        let own = AttributeItems::of(attributes, "schema")?;
        if let Some(item) = own.0.iter().find(|item| !["title", "description"].contains(&item.key.as_str())) {
            return Err(item.unknown("description, title"));
        }
        let text = |key| own.get(key).and_then(AttributeItem::text);
        Ok(ContainerAttributes {
            description: text("description").unwrap_or_else(|| docs::of(attributes)),
            title: text("title"),
            stands_for: stands_for(&serde)?,
            transparent: serde.has("transparent"),
            defaulted: serde.has("default"),
            closed: serde.has("deny_unknown_fields"),
            tagging: tagging(&serde)?,
            rename_fields: SerdeName::rename_all(&serde),
            rename_variants: SerdeName::rename_all(&serde),
            rename_variant_fields: SerdeName::rule(&serde, "rename_all_fields"),
        })
    }
}

fn tagging(serde: &AttributeItems) -> syn::Result<Tagging> {
    if let Some(item) = serde.get("untagged") {
        return Err(syn::Error::new(
            item.span,
            "an untagged enum cannot be told apart by a model; tag it: `#[serde(tag = \"type\")]`",
        ));
    }
    let text = |key| serde.get(key).and_then(AttributeItem::text);
    Ok(match (text("tag"), text("content")) {
        (Some(tag), Some(content)) => Tagging::Adjacent(tag, content),
        (Some(tag), None) => Tagging::Internal(tag),
        (None, _) => Tagging::External,
    })
}

fn stands_for(serde: &AttributeItems) -> syn::Result<Option<TokenStream>> {
    let read = other_type(serde, &["from", "try_from"])?;
    let written = other_type(serde, &["into"])?;
    Ok(match (read, written) {
        (None, None) => None,
        (Some(read), Some(written)) => Some(quote! {
            match generator.direction() {
                ::loggia::schema::Direction::Input => generator.subschema::<#read>(),
                ::loggia::schema::Direction::Output => generator.subschema::<#written>(),
            }
        }),
        (Some(only), None) | (None, Some(only)) => Some(quote!(generator.subschema::<#only>())),
    })
}

fn other_type(serde: &AttributeItems, keys: &[&str]) -> syn::Result<Option<Type>> {
    let item = keys.iter().find_map(|key| serde.get(key));
    item.and_then(|item| Some((item, item.text()?)))
        .map(|(item, text)| syn::parse_str(&text).map_err(|error| syn::Error::new(item.span, error)))
        .transpose()
}

/// The serialized form of a name, for each direction; `None` leaves it as it is.
#[derive(Clone, Default)]
pub(crate) struct SerdeName {
    read: Option<NameSpelling>,
    written: Option<NameSpelling>,
}

#[derive(Clone)]
enum NameSpelling {
    Exactly(String),
    RenameRule(RenameRule),
}

impl SerdeName {
    /// Reads `rename` of a field or a variant.
    pub(crate) fn of(serde: &AttributeItems) -> SerdeName {
        SerdeName::by(serde, "rename", |text| Some(NameSpelling::Exactly(text)))
    }

    /// Reads `rename_all`.
    pub(crate) fn rename_all(serde: &AttributeItems) -> SerdeName {
        SerdeName::rule(serde, "rename_all")
    }

    fn rule(serde: &AttributeItems, key: &str) -> SerdeName {
        SerdeName::by(serde, key, |text| RenameRule::parse(&text).map(NameSpelling::RenameRule))
    }

    fn by(serde: &AttributeItems, key: &str, spelling: impl Fn(String) -> Option<NameSpelling>) -> SerdeName {
        let Some(item) = serde.get(key) else { return SerdeName::default() };
        let nested = |key: &str| {
            let item = item.nested.iter().find(|item| item.key == key)?;
            item.text().and_then(&spelling)
        };
        match item.text() {
            Some(text) => {
                let both = spelling(text);
                SerdeName { read: both.clone(), written: both }
            }
            None => SerdeName { read: nested("deserialize"), written: nested("serialize") },
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.read.is_none() && self.written.is_none()
    }

    /// Returns this name, or `other` for a direction that this does not rename.
    pub(crate) fn or(self, other: &SerdeName) -> SerdeName {
        SerdeName {
            read: self.read.or_else(|| other.read.clone()),
            written: self.written.or_else(|| other.written.clone()),
        }
    }

    pub(crate) fn apply_to_field(&self, ident: &str) -> TokenStream {
        self.apply(ident, RenameRule::field)
    }

    pub(crate) fn apply_to_variant(&self, ident: &str) -> TokenStream {
        self.apply(ident, RenameRule::variant)
    }

    /// Returns the name of a variant for reading.
    pub(crate) fn read_variant(&self, ident: &str) -> String {
        spell(&self.read, ident, RenameRule::variant)
    }

    /// Returns an expression of the name, which depends on the direction only if the names differ.
    fn apply(&self, ident: &str, rule: impl Fn(RenameRule, &str) -> String) -> TokenStream {
        let (read, written) = (spell(&self.read, ident, &rule), spell(&self.written, ident, &rule));
        if read == written {
            return quote!(#read);
        }
        quote! {
            match generator.direction() {
                ::loggia::schema::Direction::Input => #read,
                ::loggia::schema::Direction::Output => #written,
            }
        }
    }
}

fn spell(spelling: &Option<NameSpelling>, ident: &str, rule: impl Fn(RenameRule, &str) -> String) -> String {
    match spelling {
        None => ident.to_owned(),
        Some(NameSpelling::Exactly(name)) => name.clone(),
        Some(NameSpelling::RenameRule(by)) => rule(*by, ident),
    }
}
