#![allow(unused_variables)]

use loggia::prelude::*;

struct Tenant;

#[tool]
async fn now(#[extract] tenant: Tenant) {}

fn main() {}
