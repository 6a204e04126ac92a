//! `#[derive(Module)]`: how the framework finds the variables in a layer's fields.
//!
//! The derived `visit` names each field once, in the order of declaration; `kind` is the type's name. Fields marked
//! `#[module(skip)]` are plain configuration and need not be modules. The code refers to `::carnyx`, the one crate
//! that users depend on.
#![forbid(unsafe_code)]

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::{format_ident, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{
    Attribute, Data, DeriveInput, Field, Fields, GenericParam, Generics, Result, parse_macro_input,
    parse_quote,
};

/// Implements `Module` for a struct or an enum: every field is visited under its own name, unless it is marked
/// `#[module(skip)]`. Type parameters that occur in visited fields get the bound `Module`.
#[proc_macro_derive(Module, attributes(module))]
pub fn derive_module(item: proc_macro::TokenStream) -> proc_macro::TokenStream {
    let item = parse_macro_input!(item as DeriveInput);
    module(&item).unwrap_or_else(|error| error.to_compile_error()).into()
}

fn module(item: &DeriveInput) -> Result<TokenStream> {
    let config = if is_saved(&item.attrs)? {
        quote! {
            fn config(&self) -> Option<::carnyx::Config> {
                Some(self.saved())
            }
        }
    } else {
        TokenStream::new()
    };
    let visited = visited_fields(item)?;
    let fork = fork(&item.data)?;
    let body = match &item.data {
        Data::Struct(data) => {
            let (pattern, visits) = visits(&data.fields)?;
            quote! { let Self #pattern = self; #visits }
        }
        Data::Enum(data) if data.variants.is_empty() => quote! { match *self {} },
        Data::Enum(data) => {
            let arms = data.variants.iter().map(|variant| {
                let (pattern, visits) = visits(&variant.fields)?;
                let name = &variant.ident;
                Ok(quote! { Self::#name #pattern => { #visits } })
            });
            let arms = arms.collect::<Result<Vec<_>>>()?;
            quote! { match self { #(#arms)* } }
        }
        Data::Union(data) => {
            return Err(syn::Error::new(
                data.union_token.span,
                "`Module` cannot be derived for a union: which of its fields holds the variables is not known",
            ));
        }
    };
    let name = &item.ident;
    let kind = name.to_string();
    let generics = bounded(&item.generics, &visited);
    let (impl_generics, type_generics, where_clause) = generics.split_for_impl();
    Ok(quote! {
        #[automatically_derived]
        impl #impl_generics ::carnyx::Module for #name #type_generics #where_clause {
            fn visit(&self, visitor: &mut ::carnyx::Visitor<'_>) {
                let _ = &visitor;
                #body
            }

            fn kind(&self) -> &'static str {
                #kind
            }

            #config

            fn fork(&self, forks: &mut ::carnyx::Forks) -> Self {
                let _ = &forks;
                #fork
            }
        }
    })
}

/// The fields that are not marked `#[module(skip)]`.
fn visited_fields(item: &DeriveInput) -> Result<Vec<&Field>> {
    let all: Vec<&Field> = match &item.data {
        Data::Struct(data) => data.fields.iter().collect(),
        Data::Enum(data) => data.variants.iter().flat_map(|variant| &variant.fields).collect(),
        Data::Union(_) => Vec::new(),
    };
    let mut visited = Vec::new();
    for field in all {
        if !is_skipped(&field.attrs)? {
            visited.push(field);
        }
    }
    Ok(visited)
}

/// Whether a type is marked `#[module(saved)]`, which this library's own layers are: their method `saved` says what a
/// file keeps of them.
fn is_saved(attributes: &[Attribute]) -> Result<bool> {
    let mut saved = false;
    for attribute in attributes.iter().filter(|a| a.path().is_ident("module")) {
        attribute.parse_nested_meta(|meta| {
            if !meta.path.is_ident("saved") {
                return Err(meta.error("`module` is an attribute of fields: `#[module(skip)]`"));
            }
            saved = true;
            Ok(())
        })?;
    }
    Ok(saved)
}

/// Whether a field is marked `#[module(skip)]`; any other word there is an error at its place.
fn is_skipped(attributes: &[Attribute]) -> Result<bool> {
    let mut skipped = false;
    for attribute in attributes.iter().filter(|a| a.path().is_ident("module")) {
        attribute.parse_nested_meta(|meta| {
            if !meta.path.is_ident("skip") {
                return Err(meta.error("unknown word: the only attribute of a field is `#[module(skip)]`"));
            }
            skipped = true;
            Ok(())
        })?;
    }
    Ok(skipped)
}

/// A pattern that binds the visited fields, and the statements that visit them.
fn visits(fields: &Fields) -> Result<(TokenStream, TokenStream)> {
    let (mut patterns, mut visits) = (Vec::new(), Vec::new());
    for (i, field) in fields.iter().enumerate() {
        // The span makes rustc point at the field when its type is not a module.
        let span = Span::call_site().located_at(field.ty.span());
        let binding = format_ident!("field_{i}", span = span);
        let skipped = is_skipped(&field.attrs)?;
        let pattern = if skipped {
            quote! { _ }
        } else {
            quote! { #binding }
        };
        patterns.push(match &field.ident {
            Some(name) => quote! { #name: #pattern },
            None => pattern,
        });
        if !skipped {
            let name = field.ident.as_ref().map_or_else(|| i.to_string(), unraw);
            visits.push(quote_spanned! { span => visitor.field(#name, #binding); });
        }
    }
    let pattern = match fields {
        Fields::Named(_) => quote! { { #(#patterns),* } },
        Fields::Unnamed(_) => quote! { ( #(#patterns),* ) },
        Fields::Unit => quote! {},
    };
    Ok((pattern, quote! { #(#visits)* }))
}

/// A copy with variables of its own.
fn fork(data: &Data) -> Result<TokenStream> {
    match data {
        Data::Struct(data) => {
            let (pattern, value) = forks(&data.fields)?;
            Ok(quote! { let Self #pattern = self; Self #value })
        }
        Data::Enum(data) if data.variants.is_empty() => Ok(quote! { match *self {} }),
        Data::Enum(data) => {
            let arms = data.variants.iter().map(|variant| {
                let (pattern, value) = forks(&variant.fields)?;
                let name = &variant.ident;
                Ok(quote! { Self::#name #pattern => { Self::#name #value } })
            });
            let arms = arms.collect::<Result<Vec<_>>>()?;
            Ok(quote! { match self { #(#arms)* } })
        }
        Data::Union(_) => Ok(TokenStream::new()),
    }
}

/// A pattern that binds all fields, and the copies of them; fields that are no modules are cloned.
fn forks(fields: &Fields) -> Result<(TokenStream, TokenStream)> {
    let (mut patterns, mut copies) = (Vec::new(), Vec::new());
    for (i, field) in fields.iter().enumerate() {
        let span = Span::call_site().located_at(field.ty.span());
        let binding = format_ident!("field_{i}", span = span);
        let copy = if is_skipped(&field.attrs)? {
            quote_spanned! { span => ::std::clone::Clone::clone(#binding) }
        } else {
            quote_spanned! { span => ::carnyx::Module::fork(#binding, forks) }
        };
        match &field.ident {
            Some(name) => {
                patterns.push(quote! { #name: #binding });
                copies.push(quote! { #name: #copy });
            }
            None => {
                patterns.push(quote! { #binding });
                copies.push(copy);
            }
        }
    }
    Ok(match fields {
        Fields::Named(_) => (quote! { { #(#patterns),* } }, quote! { { #(#copies),* } }),
        Fields::Unnamed(_) => (quote! { ( #(#patterns),* ) }, quote! { ( #(#copies),* ) }),
        Fields::Unit => (quote! {}, quote! {}),
    })
}

/// `r#type` is the field `type`.
fn unraw(name: &Ident) -> String {
    let text = name.to_string();
    text.strip_prefix("r#").unwrap_or(&text).to_owned()
}

/// `generics` with the bound `Module` on each type parameter that occurs in a visited field.
fn bounded(generics: &Generics, visited: &[&Field]) -> Generics {
    let mut generics = generics.clone();
    for parameter in &mut generics.params {
        let GenericParam::Type(parameter) = parameter else { continue };
        let occurs = visited.iter().any(|field| mentions(&quote_type(field), &parameter.ident));
        if occurs {
            parameter.bounds.push(parse_quote!(::carnyx::Module));
        }
    }
    generics
}

fn quote_type(field: &Field) -> TokenStream {
    let ty = &field.ty;
    quote! { #ty }
}

fn mentions(tokens: &TokenStream, name: &Ident) -> bool {
    tokens.clone().into_iter().any(|token| match token {
        TokenTree::Ident(ident) => ident == *name,
        TokenTree::Group(group) => mentions(&group.stream(), name),
        _ => false,
    })
}
