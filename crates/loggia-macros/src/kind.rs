//! The three kinds of entries of a server, and the builder calls that define each of them by a function.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Expr, Ident};

use crate::errors::Errors;
use crate::function::{CallerParameter, Function, FunctionParameter, option_of};
use crate::items::{AttributeItem, AttributeItems};

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum EntryKind {
    Tool,
    Prompt,
    Resource,
}

/// Writes the calls of completers in the surrounding code.
pub(crate) trait Completers {
    /// Returns the call of the completer that `path` names.
    fn call(&self, path: &Expr) -> TokenStream;
}

impl EntryKind {
    /// Returns the attribute that marks a function.
    pub(crate) fn marker(self) -> &'static str {
        match self {
            EntryKind::Tool => "tool",
            EntryKind::Prompt => "prompt",
            EntryKind::Resource => "resource",
        }
    }

    /// Returns the attribute of an `impl` block, and the function that it adds.
    pub(crate) fn plural(self) -> &'static str {
        match self {
            EntryKind::Tool => "tools",
            EntryKind::Prompt => "prompts",
            EntryKind::Resource => "resources",
        }
    }

    /// Returns the type of an entry.
    pub(crate) fn ty(self) -> TokenStream {
        match self {
            EntryKind::Tool => quote!(::loggia::server::Tool),
            EntryKind::Prompt => quote!(::loggia::server::Prompt),
            EntryKind::Resource => quote!(::loggia::server::Resource),
        }
    }

    /// Returns the trait that makes an entry from a free function.
    pub(crate) fn into_trait(self) -> (TokenStream, TokenStream) {
        match self {
            EntryKind::Tool => (quote!(::loggia::server::IntoTool), quote!(into_tool)),
            EntryKind::Prompt => (quote!(::loggia::server::IntoPrompt), quote!(into_prompt)),
            EntryKind::Resource => (quote!(::loggia::server::IntoResource), quote!(into_resource)),
        }
    }

    /// Returns the expression that makes an entry of this kind from `function`.
    pub(crate) fn build(
        self,
        function: &Function,
        options: &AttributeItems,
        state: &TokenStream,
        target: &TokenStream,
        completers: &dyn Completers,
        errors: &mut Errors,
    ) -> TokenStream {
        let options = self.options(function, options, errors);
        let ty = self.ty();
        let start = match self {
            EntryKind::Resource => {
                let (uri, name) = (&options.uri, &options.name);
                quote!(#ty::build(#uri, #name))
            }
            _ => {
                let name = &options.name;
                quote!(#ty::build(#name))
            }
        };
        let calls = &options.calls;
        let parameters =
            function.given().map(|(given, parameter)| self.parameter(given, parameter, state, completers));
        let arguments = match self {
            EntryKind::Tool => quote!(::loggia::server::Args),
            _ => quote!(::loggia::server::StringArgs),
        };
        let into = self.into_result();
        let handler = function
            .handler(state, target, &arguments, &into, |given, parameter| self.take(given, parameter));
        let returns = (self == EntryKind::Tool && function.output_has_name).then(|| {
            let output = &function.output;
            quote_spanned!(output.span()=> .returns::<#output>())
        });
        quote!(#start #calls #(#parameters)* #returns .handler(#handler))
    }

    /// Returns the rest of the path that converts the result of a function of this kind, after `<Type as `.
    fn into_result(self) -> TokenStream {
        match self {
            EntryKind::Tool => quote!(::loggia::server::IntoToolResult > ::into_tool_result),
            EntryKind::Prompt => quote!(::loggia::server::IntoPromptResult > ::into_prompt_result),
            EntryKind::Resource => quote!(::loggia::server::IntoResourceResult > ::into_resource_result),
        }
    }

    fn take(self, given: &CallerParameter, parameter: &FunctionParameter) -> TokenStream {
        let (name, ty) = (&given.name, &parameter.ty);
        match (self, option_of(ty)) {
            (EntryKind::Tool, _) => quote_spanned!(parameter.span=> _args.take::<#ty>(#name)?),
            (_, Some(inner)) => quote_spanned!(parameter.span=> _args.take_optional::<#inner>(#name)?),
            (_, None) => quote_spanned!(parameter.span=> _args.take::<#ty>(#name)?),
        }
    }

    fn parameter(
        self,
        given: &CallerParameter,
        parameter: &FunctionParameter,
        state: &TokenStream,
        completers: &dyn Completers,
    ) -> TokenStream {
        let CallerParameter { name, docs, keywords, complete } = given;
        let ty = &parameter.ty;
        let complete = complete.as_ref().map(|path| {
            let call = completers.call(path);
            quote! {
                .complete(#name, |_state: ::std::sync::Arc<#state>, _cx: ::loggia::server::Cx, _request: ::loggia::server::CompletionRequest| async move {
                    #call
                })
            }
        });
        match self {
            EntryKind::Tool => {
                let property = quote_spanned!(parameter.span=> ::loggia::server::parameter::<#ty>(#name));
                quote!(.parameter(#property.description(#docs) #keywords))
            }
            EntryKind::Prompt => {
                let required = option_of(ty).is_none();
                quote!(.argument(#name, #docs, #required) #complete)
            }
            EntryKind::Resource => quote!(#complete),
        }
    }

    fn options(self, function: &Function, items: &AttributeItems, errors: &mut Errors) -> EntryOptions {
        let name = function.name();
        let docs = &function.docs;
        let mut options =
            EntryOptions { name: quote!(#name), uri: quote!(""), calls: quote!(.description(#docs)) };
        for item in &items.0 {
            match self.option(item, &mut options) {
                Ok(call) => options.calls.extend(call),
                Err(error) => errors.add(error),
            }
        }
        if self == EntryKind::Resource && items.0.first().is_none_or(|first| !first.key.is_empty()) {
            errors.at(function.ident.span(), "say which URI it has: `#[resource(\"weather://{city}/now\")]`");
        }
        if let (EntryKind::Resource, Some(template)) = (self, items.0.first().and_then(AttributeItem::text)) {
            check_variables(function, &template, items.0[0].value.span(), errors);
        }
        options
    }

    fn option(self, item: &AttributeItem, options: &mut EntryOptions) -> syn::Result<TokenStream> {
        let hint = |method: &str| {
            let method = Ident::new(method, item.span);
            let on = item.value.clone().map_or(quote!(true), |value| quote!(#value));
            quote!(.#method(#on))
        };
        Ok(match (self, item.key.as_str()) {
            (EntryKind::Resource, "") => {
                let uri = item.required()?;
                options.uri = quote!(#uri);
                quote!()
            }
            (_, "name") => {
                let name = item.required()?;
                options.name = quote!(#name);
                quote!()
            }
            (_, key @ ("title" | "description" | "icon"))
            | (EntryKind::Resource, key @ ("mime" | "size")) => {
                let (method, value) = (Ident::new(key, item.span), item.required()?);
                quote!(.#method(#value))
            }
            (EntryKind::Tool, key @ ("read_only" | "destructive" | "idempotent" | "open_world")) => hint(key),
            (EntryKind::Tool, _) => {
                return Err(item.unknown(
                    "description, destructive, icon, idempotent, name, open_world, read_only, title",
                ));
            }
            (EntryKind::Prompt, _) => return Err(item.unknown("description, icon, name, title")),
            (EntryKind::Resource, _) => {
                return Err(item.unknown("description, icon, mime, name, size, title"));
            }
        })
    }
}

struct EntryOptions {
    name: TokenStream,
    uri: TokenStream,
    calls: TokenStream,
}

/// Checks that the template and the parameters have the same variables.
fn check_variables(function: &Function, template: &str, span: proc_macro2::Span, errors: &mut Errors) {
    let variables = variables(template);
    for (given, parameter) in function.given() {
        if !variables.contains(&given.name) {
            errors.at(parameter.span, format!("the URI has no variable {{{}}}", given.name));
        }
    }
    for variable in &variables {
        if !function.given().any(|(given, _)| given.name == *variable) {
            errors.at(span, format!("no parameter takes the variable {{{variable}}}"));
        }
    }
}

/// Returns the variable names of an RFC 6570 template.
fn variables(template: &str) -> Vec<String> {
    let expressions =
        template.split('{').skip(1).filter_map(|rest| rest.split_once('}').map(|(inside, _)| inside));
    expressions
        .flat_map(|inside| inside.trim_start_matches(['+', '#', '.', '/', ';', '?', '&']).split(','))
        .map(|name| name.trim_end_matches('*').split(':').next().unwrap_or_default().to_owned())
        .collect()
}
