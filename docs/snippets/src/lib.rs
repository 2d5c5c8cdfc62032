//! The book's chapters and the README as documentation of empty modules, so that every snippet is compiled
//! and run with the documentation tests.

#![allow(rustdoc::broken_intra_doc_links, reason = "links in the book lead between its pages")]

macro_rules! chapters {
    ($($name:ident = $path:literal;)*) => {
        $(#[doc = include_str!($path)]
        pub mod $name {})*
    };
}

chapters! {
    readme = "../../../README.md";
    embed = "../../src/embed.md";
    server = "../../src/server.md";
    ask = "../../src/ask.md";
    client = "../../src/client.md";
    sign_in = "../../src/sign-in.md";
    protect = "../../src/protect.md";
    eras = "../../src/eras.md";
}
