#![allow(unused_variables)]

use loggia::prelude::*;
use std::rc::Rc;

struct Weather;

#[tools]
impl Weather {
    #[tool]
    async fn now(&self, cx: &Cx) -> Result<String, ToolError> {
        let name = Rc::new("Oslo");
        let roots = cx.roots("roots").await?;
        Ok(format!("{name} {}", roots.len()))
    }
}

fn main() {}
