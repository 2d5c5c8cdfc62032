//! `#[tools]`, `#[prompts]` and `#[resources]` on an `impl` block.

use proc_macro2::TokenStream;
use quote::{ToTokens, format_ident, quote};
use syn::spanned::Spanned;
use syn::{Expr, FnArg, Ident, ImplItem, ImplItemFn, ItemImpl};

use crate::errors::Errors;
use crate::function::Function;
use crate::items::AttributeItems;
use crate::kind::{Completers, EntryKind};

/// Returns the block, and a function that returns a list of what its marked functions define.
pub(crate) fn expand(kind: EntryKind, arguments: TokenStream, item: TokenStream) -> TokenStream {
    let mut block = match syn::parse2::<ItemImpl>(item.clone()) {
        Ok(block) => block,
        Err(error) => {
            let place = format!("`#[{}]` goes on an `impl` block", kind.plural());
            let error = if error.to_string().contains("expected `impl`") {
                syn::Error::new(error.span(), place)
            } else {
                error
            };
            let error = error.into_compile_error();
            return quote!(#error #item);
        }
    };
    let mut errors = Errors::default();
    let name = list_name(kind, arguments, &mut errors);
    let made = functions(kind, &mut block, &mut errors);
    if made.is_empty() && errors.is_empty() {
        errors.at(block.self_ty.span(), format!("no function here is marked `#[{}]`", kind.marker()));
    }
    let list = list(kind, &block, &name, &made);
    let errors_found = !errors.is_empty();
    let errors = errors.into_tokens();
    // If there are errors, the list is left out, so that only these errors are reported.
    let list = (!errors_found).then_some(list);
    quote!(#block #list #errors)
}

fn list_name(kind: EntryKind, arguments: TokenStream, errors: &mut Errors) -> Ident {
    let default = format_ident!("{}", kind.plural());
    if arguments.is_empty() {
        return default;
    }
    syn::parse2::<Ident>(arguments).unwrap_or_else(|error| {
        errors.at(
            error.span(),
            format!("write the name of the function to add, as in `#[{0}(admin_{0})]`", kind.plural()),
        );
        default
    })
}

fn list(kind: EntryKind, block: &ItemImpl, name: &Ident, made: &[TokenStream]) -> TokenStream {
    let (generics, _, clause) = block.generics.split_for_impl();
    let (self_ty, ty) = (&block.self_ty, kind.ty());
    let doc = format!("The {} declared in this block.", kind.plural());
    quote! {
        impl #generics #self_ty #clause {
            #[doc = #doc]
            #[allow(unreachable_pub)]
            pub fn #name() -> ::std::vec::Vec<#ty<Self>> {
                let mut list = ::std::vec::Vec::new();
                #(#made)*
                list
            }
        }
    }
}

/// Reads the marked functions, removes the macro's attributes from them, and returns the statements that add each of
/// them to the list.
fn functions(kind: EntryKind, block: &mut ItemImpl, errors: &mut Errors) -> Vec<TokenStream> {
    let completers = Methods(block.items.iter().filter_map(method).cloned().collect());
    let mut made = Vec::new();
    for item in &mut block.items {
        let ImplItem::Fn(function) = item else { continue };
        let Some(position) = function.attrs.iter().position(|a| marks(a, kind)) else { continue };
        let marker = function.attrs.remove(position);
        let options = match &marker.meta {
            syn::Meta::Path(_) => AttributeItems::default(),
            _ => errors.keep(marker.parse_args::<AttributeItems>()),
        };
        let read = Function::read(&function.attrs, &mut function.sig, errors);
        let (ident, cfgs) = (&read.ident, &read.cfgs);
        let built = kind.build(&read, &options, &quote!(Self), &quote!(Self::#ident), &completers, errors);
        made.push(quote!(#(#cfgs)* list.push(#built);));
    }
    made
}

fn marks(attribute: &syn::Attribute, kind: EntryKind) -> bool {
    attribute.path().segments.last().is_some_and(|segment| segment.ident == kind.marker())
}

fn method(item: &ImplItem) -> Option<&ImplItemFn> {
    match item {
        ImplItem::Fn(function) => Some(function),
        _ => None,
    }
}

/// Completers are methods of the same block, or other functions.
struct Methods(Vec<ImplItemFn>);

impl Completers for Methods {
    fn call(&self, path: &Expr) -> TokenStream {
        let Some(method) = self.find(path) else { return quote!(#path(&_request).await) };
        let ident = &method.sig.ident;
        let passed = method.sig.inputs.iter().map(|input| match input {
            FnArg::Receiver(_) => quote!(&_state),
            FnArg::Typed(typed) if typed.ty.to_token_stream().to_string().ends_with("Cx") => quote!(&_cx),
            FnArg::Typed(_) => quote!(&_request),
        });
        let wait = method.sig.asyncness.map(|_| quote!(.await));
        quote!(Self::#ident(#(#passed),*) #wait)
    }
}

impl Methods {
    /// Returns the method for `name` or `Self::name`.
    fn find(&self, path: &Expr) -> Option<&ImplItemFn> {
        let Expr::Path(path) = path else { return None };
        let segments: Vec<_> = path.path.segments.iter().map(|segment| &segment.ident).collect();
        let name = match segments.as_slice() {
            [name] => *name,
            [owner, name] if *owner == "Self" => *name,
            _ => return None,
        };
        self.0.iter().find(|method| method.sig.ident == *name)
    }
}
