//! A gateway inside a program of its own: this one.

mod add;
mod api_sign_in;
mod apis;
mod browser;
mod builtins;
mod console;
mod doctor;
mod errors;
mod manifest_tools;
mod manifests;
mod nested;
mod pins;
mod protected;
mod reload;
mod served;
mod world;
