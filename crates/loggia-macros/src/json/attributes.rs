//! `#[json(…)]` on types, fields and variants.
//!
//! Each place has its own list, so that an attribute without a meaning there is an error.

use syn::meta::ParseNestedMeta;
use syn::{Attribute, LitStr, Path};

#[derive(Default)]
pub(super) struct TypeAttributes {
    pub(super) tag: Option<String>,
    pub(super) read_with: Option<Path>,
    pub(super) write_with: Option<Path>,
}

#[derive(Default)]
pub(super) struct FieldAttributes {
    pub(super) rename: Option<String>,
    pub(super) flatten: bool,
    pub(super) default: bool,
    pub(super) read_with: Option<Path>,
}

#[derive(Default)]
pub(super) struct VariantAttributes {
    pub(super) rename: Option<String>,
}

impl TypeAttributes {
    pub(super) fn read(attributes: &[Attribute]) -> syn::Result<TypeAttributes> {
        let mut found = TypeAttributes::default();
        each(attributes, |meta| {
            match name(&meta).as_str() {
                "tag" => found.tag = Some(string(&meta)?),
                "read_with" => found.read_with = Some(path(&meta)?),
                "write_with" => found.write_with = Some(path(&meta)?),
                _ => return Err(unknown(&meta)),
            }
            Ok(())
        })?;
        Ok(found)
    }
}

impl FieldAttributes {
    pub(super) fn read(attributes: &[Attribute]) -> syn::Result<FieldAttributes> {
        let mut found = FieldAttributes::default();
        each(attributes, |meta| {
            match name(&meta).as_str() {
                "rename" => found.rename = Some(string(&meta)?),
                "flatten" => found.flatten = true,
                "default" => found.default = true,
                "read_with" => found.read_with = Some(path(&meta)?),
                _ => return Err(unknown(&meta)),
            }
            Ok(())
        })?;
        Ok(found)
    }
}

impl VariantAttributes {
    pub(super) fn read(attributes: &[Attribute]) -> syn::Result<VariantAttributes> {
        let mut found = VariantAttributes::default();
        each(attributes, |meta| {
            match name(&meta).as_str() {
                "rename" => found.rename = Some(string(&meta)?),
                _ => return Err(unknown(&meta)),
            }
            Ok(())
        })?;
        Ok(found)
    }
}

fn each(
    attributes: &[Attribute],
    mut read: impl FnMut(ParseNestedMeta<'_>) -> syn::Result<()>,
) -> syn::Result<()> {
    let mut json = attributes.iter().filter(|attribute| attribute.path().is_ident("json"));
    json.try_for_each(|attribute| attribute.parse_nested_meta(&mut read))
}

fn name(meta: &ParseNestedMeta<'_>) -> String {
    meta.path.get_ident().map(ToString::to_string).unwrap_or_default()
}

fn string(meta: &ParseNestedMeta<'_>) -> syn::Result<String> {
    Ok(meta.value()?.parse::<LitStr>()?.value())
}

fn path(meta: &ParseNestedMeta<'_>) -> syn::Result<Path> {
    meta.value()?.parse::<LitStr>()?.parse()
}

fn unknown(meta: &ParseNestedMeta<'_>) -> syn::Error {
    meta.error("unknown attribute of json")
}
