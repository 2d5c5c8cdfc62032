//! Reads the signature of a function and finds the source of each parameter: the state, the request, a value from the
//! request, or the caller. Errors point at the wrong parameter.

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Attribute, Expr, FnArg, Ident, Pat, PatType, Receiver, ReceiverKind, ReturnType, Signature, Type};

use crate::docs;
use crate::errors::Errors;
use crate::items::AttributeItems;
use crate::keywords;

/// A function that becomes a tool, a prompt or a resource.
pub(crate) struct Function {
    pub(crate) ident: Ident,
    pub(crate) docs: String,
    /// `#[cfg(…)]` and `#[cfg_attr(…)]`, which the generated items must have, too.
    pub(crate) cfgs: Vec<Attribute>,
    pub(crate) is_async: bool,
    pub(crate) parameters: Vec<FunctionParameter>,
    /// Its return type.
    pub(crate) output: Type,
    /// True if the return type has the same meaning outside the signature.
    pub(crate) output_has_name: bool,
}

/// One parameter.
pub(crate) struct FunctionParameter {
    pub(crate) source: ParameterSource,
    pub(crate) ty: Type,
    pub(crate) span: Span,
}

/// The source of a parameter's value.
pub(crate) enum ParameterSource {
    /// `&self`, or `#[state] state: &S` in a free function.
    State,
    /// `cx: &Cx`.
    Context,
    /// `#[extract]`: a value from the request.
    Extract,
    /// The caller passes it.
    Caller(Box<CallerParameter>),
}

/// The attributes and docs of a parameter that the caller passes.
pub(crate) struct CallerParameter {
    pub(crate) name: String,
    pub(crate) docs: String,
    pub(crate) keywords: TokenStream,
    /// `#[complete(…)]`.
    pub(crate) complete: Option<Expr>,
}

impl Function {
    /// Reads `signature` and removes the macro's attributes from it.
    pub(crate) fn read(attributes: &[Attribute], signature: &mut Signature, errors: &mut Errors) -> Function {
        refuse_generics(signature, errors);
        let output = match &signature.output {
            ReturnType::Default => syn::parse_quote!(()),
            ReturnType::Type(_, ty) => (**ty).clone(),
        };
        let parameters = signature.inputs.iter_mut().filter_map(|input| parameter(input, errors)).collect();
        Function {
            ident: signature.ident.clone(),
            docs: docs::of(attributes),
            cfgs: attributes.iter().filter(|a| a.path().is_ident("cfg")).cloned().collect(),
            is_async: signature.asyncness.is_some(),
            parameters,
            output_has_name: signature.generics.params.is_empty() && !has_impl(&output),
            output,
        }
    }

    /// Returns the function's name as a text.
    pub(crate) fn name(&self) -> String {
        self.ident.unraw().to_string()
    }

    /// Returns the parameters that the caller passes.
    pub(crate) fn given(&self) -> impl Iterator<Item = (&CallerParameter, &FunctionParameter)> {
        self.parameters.iter().filter_map(|parameter| match &parameter.source {
            ParameterSource::Caller(given) => Some((&**given, parameter)),
            _ => None,
        })
    }

    /// Returns the state's type, in a free function.
    pub(crate) fn state(&self) -> Option<&Type> {
        self.parameters
            .iter()
            .find(|parameter| matches!(parameter.source, ParameterSource::State))
            .map(|p| &p.ty)
    }

    /// Returns the handler: a closure that gets the values of the parameters and calls `target`. `take` writes how
    /// the value of a caller's parameter is taken from `_args`.
    pub(crate) fn handler(
        &self,
        state: &TokenStream,
        target: &TokenStream,
        arguments: &TokenStream,
        into: &TokenStream,
        take: impl Fn(&CallerParameter, &FunctionParameter) -> TokenStream,
    ) -> TokenStream {
        let mut bindings = Vec::new();
        let mut passed = Vec::new();
        for (index, parameter) in self.parameters.iter().enumerate() {
            let name = format_ident!("parameter_{index}");
            let (value, pass) = match &parameter.source {
                ParameterSource::State => (None, quote!(&_state)),
                ParameterSource::Context => (None, quote!(&_cx)),
                ParameterSource::Extract => (Some(extract(parameter)), quote!(#name)),
                ParameterSource::Caller(given) => (Some(take(given, parameter)), quote!(#name)),
            };
            bindings.extend(value.map(|value| quote!(let #name = #value;)));
            passed.push(pass);
        }
        let mutable = self.given().next().map(|_| quote!(mut));
        let wait = self.is_async.then(|| quote!(.await));
        let call = quote!(#target(#(#passed),*) #wait);
        // The conversion is here, not in the builder, so that an error points at the return type.
        let output = &self.output;
        let result = if self.output_has_name {
            quote_spanned!(output.span()=> <#output as #into(#call))
        } else {
            quote!(::core::result::Result::<_, ::loggia::server::ToolError>::Ok(#call))
        };
        quote! {
            |_state: ::std::sync::Arc<#state>, _cx: ::loggia::server::Cx, #mutable _args: #arguments| async move {
                #(#bindings)*
                #result
            }
        }
    }
}

/// Returns whether `ty` is or contains an `impl Trait`.
fn has_impl(ty: &Type) -> bool {
    quote!(#ty).to_string().split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == "impl")
}

fn extract(parameter: &FunctionParameter) -> TokenStream {
    let ty = &parameter.ty;
    quote_spanned!(parameter.span=> <#ty as ::loggia::server::FromRequest>::from_request(&_cx).await?)
}

fn refuse_generics(signature: &Signature, errors: &mut Errors) {
    let types = signature.generics.params.iter().find(|p| !matches!(p, syn::GenericParam::Lifetime(_)));
    if let Some(parameter) = types {
        errors.at(parameter.span(), "a handler cannot be generic: what the model sends has one type");
    }
}

fn parameter(input: &mut FnArg, errors: &mut Errors) -> Option<FunctionParameter> {
    match input {
        FnArg::Receiver(receiver) => receiver_parameter(receiver, errors),
        FnArg::Typed(typed) => typed_parameter(typed, errors),
    }
}

fn receiver_parameter(receiver: &Receiver, errors: &mut Errors) -> Option<FunctionParameter> {
    let span = receiver.span();
    match &receiver.kind {
        ReceiverKind::Reference(_, _, None) => {
            Some(FunctionParameter { source: ParameterSource::State, ty: syn::parse_quote!(Self), span })
        }
        ReceiverKind::Reference(_, _, Some(_)) => {
            errors.at(span, "take `&self`: calls run at the same time and share the state; keep what changes in a Mutex or an atomic");
            None
        }
        _ => {
            errors.at(span, "take `&self`: the state outlives the call");
            None
        }
    }
}

fn typed_parameter(typed: &mut PatType, errors: &mut Errors) -> Option<FunctionParameter> {
    let attributes = std::mem::take(&mut typed.attrs);
    let (ours, others): (Vec<_>, Vec<_>) = attributes.into_iter().partition(is_ours);
    typed.attrs = others;
    let marked = |name: &str| ours.iter().any(|attribute| attribute.path().is_ident(name));
    let span = typed.ty.span();
    let ty = (*typed.ty).clone();
    if marked("state") {
        return Some(FunctionParameter {
            source: ParameterSource::State,
            ty: referenced(&ty, errors)?,
            span,
        });
    }
    if let Some(is_reference) = context(&ty) {
        if !is_reference {
            errors.at(span, "take `cx: &Cx`");
        }
        return Some(FunctionParameter { source: ParameterSource::Context, ty, span });
    }
    if marked("extract") {
        return Some(FunctionParameter { source: ParameterSource::Extract, ty, span });
    }
    let given = given(typed, &ours, errors)?;
    Some(FunctionParameter { source: ParameterSource::Caller(Box::new(given)), ty, span })
}

fn is_ours(attribute: &Attribute) -> bool {
    docs::is_doc(attribute)
        || ["arg", "complete", "extract", "state"].iter().any(|name| attribute.path().is_ident(name))
}

/// Returns the type behind `&`.
fn referenced(ty: &Type, errors: &mut Errors) -> Option<Type> {
    match ty {
        Type::Reference(reference) if reference.mutability.is_none() => Some((*reference.elem).clone()),
        _ => {
            errors.at(ty.span(), "take the state as a reference: `#[state] state: &State`");
            None
        }
    }
}

/// Returns `Some(true)` for `&Cx`, `Some(false)` for `Cx`.
fn context(ty: &Type) -> Option<bool> {
    match ty {
        Type::Reference(reference) => is_cx(&reference.elem).then_some(reference.mutability.is_none()),
        _ => is_cx(ty).then_some(false),
    }
}

fn is_cx(ty: &Type) -> bool {
    matches!(ty, Type::Path(path) if path.path.segments.last().is_some_and(|segment| segment.ident == "Cx"))
}

fn given(typed: &PatType, ours: &[Attribute], errors: &mut Errors) -> Option<CallerParameter> {
    let Pat::Ident(pattern) = &*typed.pat else {
        errors.at(typed.pat.span(), "give the parameter a name: the model has to know it");
        return None;
    };
    if let Type::Reference(reference) = &*typed.ty {
        let owned = owned_form(&reference.elem);
        errors
            .at(typed.ty.span(), format!("take it by value: what the model sent belongs to the call{owned}"));
        return None;
    }
    if let Type::ImplTrait(_) = &*typed.ty {
        errors.at(typed.ty.span(), "name a type: what the model sends has one type");
        return None;
    }
    let items = errors.keep(AttributeItems::of(ours, "arg"));
    let complete = ours.iter().find(|attribute| attribute.path().is_ident("complete"));
    Some(CallerParameter {
        name: items
            .get("name")
            .and_then(|item| item.text())
            .unwrap_or_else(|| pattern.ident.unraw().to_string()),
        docs: docs::of(ours),
        keywords: errors.keep(keywords::calls(&items)),
        complete: complete.and_then(|attribute| errors.keep(attribute.parse_args::<Expr>().map(Some))),
    })
}

fn owned_form(elem: &Type) -> &'static str {
    match elem {
        Type::Path(path) if path.path.is_ident("str") => " (`String` instead of `&str`)",
        Type::Slice(_) => " (`Vec<…>` instead of a slice)",
        _ => "",
    }
}

/// Returns the `T` of `Option<T>`.
pub(crate) fn option_of(ty: &Type) -> Option<&Type> {
    let Type::Path(path) = ty else { return None };
    let segment = path.path.segments.last().filter(|segment| segment.ident == "Option")?;
    let syn::PathArguments::AngleBracketed(arguments) = &segment.arguments else { return None };
    match arguments.args.first() {
        Some(syn::GenericArgument::Type(inner)) => Some(inner),
        _ => None,
    }
}
