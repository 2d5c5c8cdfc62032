//! A gateway inside a program of its own: this one.

mod add;
mod apis;
mod browser;
mod errors;
mod manifests;
mod nested;
mod protected;
mod reload;
mod served;
mod world;
