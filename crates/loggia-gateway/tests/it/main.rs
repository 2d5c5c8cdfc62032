//! A gateway inside a program of its own: this one.

mod apis;
mod browser;
mod errors;
mod nested;
mod protected;
mod served;
mod world;
