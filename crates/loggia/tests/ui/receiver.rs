#![allow(unused_variables)]

use loggia::prelude::*;

struct Counter(u64);

#[tools]
impl Counter {
    #[tool]
    async fn count(&mut self) -> u64 {
        self.0 += 1;
        self.0
    }

    #[tool]
    async fn take(self) -> u64 {
        self.0
    }
}

fn main() {}
