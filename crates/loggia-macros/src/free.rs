//! `#[tool]`, `#[prompt]` and `#[resource]` on a free function. The function's name becomes a value that can be
//! registered and called.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::spanned::Spanned;
use syn::{Expr, FnArg, ItemFn, Type};

use crate::docs;
use crate::errors::Errors;
use crate::function::Function;
use crate::items::AttributeItems;
use crate::kind::{Completers, EntryKind};

pub(crate) fn expand(kind: EntryKind, arguments: TokenStream, item: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let options = errors.keep(syn::parse2::<AttributeItems>(arguments));
    let mut function = match syn::parse2::<ItemFn>(item.clone()) {
        Ok(function) => function,
        Err(error) => {
            let error = error.into_compile_error();
            return quote!(#error #item);
        }
    };
    if let Some(receiver) = function.sig.receiver() {
        errors.at(
            receiver.self_token.span,
            format!("`#[{}]` on a method needs `#[{}]` on its `impl` block", kind.marker(), kind.plural()),
        );
        let errors = errors.into_tokens();
        return quote!(#errors #item);
    }
    let read = Function::read(&function.attrs, &mut function.sig, &mut errors);
    if !read.output_has_name {
        errors.at(
            function.sig.output.span(),
            "name the return type, without `impl` and lifetimes: the function becomes a value",
        );
    }
    let (generics, state) = match read.state() {
        Some(state) => (quote!(), quote!(#state)),
        None => (quote!(<S: ::core::marker::Send + ::core::marker::Sync + 'static>), quote!(S)),
    };
    let name = read.ident.clone();
    let built = kind.build(&read, &options, &state, &quote!(#name::call), &Functions, &mut errors);
    if !errors.is_empty() {
        let errors = errors.into_tokens();
        return quote!(#function #errors);
    }
    let (into_trait, into_method) = kind.into_trait();
    let ty = kind.ty();
    let value = value(&function, &read);
    let cfgs = &read.cfgs;
    quote! {
        #value
        #(#cfgs)*
        impl #generics #into_trait<#state> for #name {
            fn #into_method(self) -> #ty<#state> {
                #built
            }
        }
    }
}

/// Creates a unit struct with the function's name, which can be called like the function.
fn value(function: &ItemFn, read: &Function) -> TokenStream {
    let (visibility, block) = (&function.vis, &function.block);
    let ours = |attribute: &&syn::Attribute| docs::is_doc(attribute) || attribute.path().is_ident("cfg");
    let (shown, kept): (Vec<_>, Vec<_>) = function.attrs.iter().partition(ours);
    let (name, asyncness, inputs) = (&function.sig.ident, &function.sig.asyncness, &function.sig.inputs);
    let (output, cfgs) = (&read.output, &read.cfgs);
    let types: Vec<Type> = inputs.iter().filter_map(called_type).collect();
    let names: Vec<_> = (0..types.len()).map(|index| format_ident!("p{index}")).collect();
    // The result cannot contain a lifetime that no parameter has.
    let borrows = types.iter().any(|ty| matches!(ty, Type::Reference(_)));
    let lifetime = if borrows { quote!('call) } else { quote!('static) };
    let (result, body) = match asyncness {
        Some(_) => (
            quote!(::core::pin::Pin<::std::boxed::Box<dyn ::core::future::Future<Output = #output> + ::core::marker::Send + #lifetime>>),
            quote!(::std::boxed::Box::pin(#name::call(#(#names),*))),
        ),
        None => (quote!(#output), quote!(#name::call(#(#names),*))),
    };
    quote! {
        #(#shown)*
        #[allow(non_camel_case_types)]
        #[derive(Clone, Copy)]
        #visibility struct #name;

        #(#cfgs)*
        impl #name {
            #(#kept)*
            #[allow(clippy::unused_async)]
            #asyncness fn call(#inputs) -> #output #block
        }

        #(#cfgs)*
        impl ::core::ops::Deref for #name {
            type Target = for<'call> fn(#(#types),*) -> #result;
            fn deref(&self) -> &Self::Target {
                #[allow(clippy::too_many_arguments)]
                fn call<'call>(#(#names: #types),*) -> #result {
                    #body
                }
                const POINTER: for<'call> fn(#(#types),*) -> #result = call;
                &POINTER
            }
        }
    }
}

/// Returns the parameter's type, with the lifetime of the call in its references.
fn called_type(input: &FnArg) -> Option<Type> {
    let FnArg::Typed(typed) = input else { return None };
    let mut ty = (*typed.ty).clone();
    if let Type::Reference(reference) = &mut ty {
        reference.lifetime = Some(syn::Lifetime::new("'call", proc_macro2::Span::call_site()));
    }
    Some(ty)
}

/// Completers of a free function are functions.
struct Functions;

impl Completers for Functions {
    fn call(&self, path: &Expr) -> TokenStream {
        quote!(#path(&_request).await)
    }
}
