//! A server to talk to, in this process.

use std::thread::JoinHandle;

use loggia::prelude::*;
use loggia::transport::{Serve, Shutdown};
use serde::Serialize;

/// One of everything that a result can be.
struct Kitchen;

#[derive(Serialize, JsonSchema)]
struct Sum {
    /// The sum
    sum: i64,
}

#[derive(serde::Deserialize, JsonSchema)]
struct Person {
    /// What to call you
    name: String,
}

/// A picture of one pixel.
const PIXEL: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==";

#[tools]
impl Kitchen {
    /// Says it again.
    ///
    /// More about that, which a table has no room for.
    #[tool(read_only, title = "Echo")]
    async fn echo(
        &self,
        /** What to say */
        text: String,
        /** How often */
        times: Option<u32>,
    ) -> String {
        vec![text; times.unwrap_or(1) as usize].join(" ")
    }

    /// Adds numbers
    #[tool]
    async fn add(
        &self,
        /** The numbers */
        numbers: Vec<i64>,
    ) -> Json<Sum> {
        Json(Sum { sum: numbers.iter().sum() })
    }

    /// Always fails
    #[tool]
    async fn fail(&self) -> Result<String, ToolError> {
        Err(ToolError::say("the oven is cold"))
    }

    /// Is not for you
    #[tool]
    async fn refuse(&self) -> Result<String, ToolError> {
        Err(ToolError::reject(loggia::wire::ErrorCode(-32050), "the kitchen is closed"))
    }

    /// Never ends
    #[tool]
    async fn hang(&self) -> String {
        std::future::pending().await
    }

    /// Reports how far it is
    #[tool]
    async fn cook(&self, cx: &Cx) -> String {
        cx.progress(1.0).total(2.0).message("boiling");
        "done".to_owned()
    }

    /// Shows a picture and links to a page
    #[tool]
    async fn show(&self) -> Vec<ContentBlock> {
        let link = loggia::model::Resource::new("menu://today", "today").title("Today's menu");
        vec![
            ContentBlock::text("Look:"),
            ContentBlock::image(PIXEL, "image/png"),
            ContentBlock::resource_link(link),
            ContentBlock::text("clear\u{1b}[2Jscreen"),
        ]
    }

    /// Asks who you are
    #[tool]
    async fn greet(&self, cx: &Cx) -> Result<String, ToolError> {
        match cx.ask::<Person>("who", "Who is there?").await? {
            Answer::Accept(person) => Ok(format!("Hello {}", person.name)),
            _ => Ok("Nobody said who".to_owned()),
        }
    }

    /// Logs
    #[tool]
    async fn chat(&self, cx: &Cx) -> String {
        cx.debug("tiny");
        cx.warning("hot");
        "said".to_owned()
    }
}

#[prompts]
impl Kitchen {
    /// Orders a dish
    #[prompt]
    async fn order(
        &self,
        /** Which one */
        #[complete(dishes)]
        dish: String,
        /** For whom */
        guest: Option<String>,
    ) -> String {
        format!("One {dish} for {}", guest.unwrap_or("me".to_owned()))
    }

    async fn dishes(&self, typed: &loggia::server::CompletionRequest) -> loggia::model::Completion {
        typed.matching(["soup", "salad", "stew"])
    }
}

#[resources]
impl Kitchen {
    /// What there is today
    #[resource("menu://today", mime = "text/plain")]
    async fn today(&self) -> String {
        "soup\nstew".to_owned()
    }

    /// What there is on another day
    #[resource("menu://days/{day}", mime = "text/plain")]
    async fn on(&self, day: String) -> Option<String> {
        (day == "monday").then(|| "leftovers".to_owned())
    }
}

/// The server, as long as this is kept.
pub(crate) struct Running {
    pub(crate) url: String,
    shutdown: Shutdown,
    thread: Option<JoinHandle<()>>,
}

/// Starts it on a free port.
pub(crate) fn start() -> Running {
    let shutdown = Shutdown::new();
    let (tell, told) = std::sync::mpsc::channel();
    let stop = shutdown.clone();
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let server = Server::new("kitchen", "2.0.0")
                .title("The Kitchen")
                .instructions("Ask for the menu first.")
                .state(Kitchen)
                .tools(Kitchen::tools())
                .prompts(Kitchen::prompts())
                .resources(Kitchen::resources())
                .build()
                .expect("a server");
            let http = http("127.0.0.1:0").bind().await.expect("a free port");
            tell.send(http.local_addr().expect("it is bound")).expect("somebody waits");
            let limits =
                loggia::limits::Limits { drain: std::time::Duration::from_millis(100), ..Default::default() };
            http.serve(server.into_service(), limits, stop).await.expect("served");
        });
    });
    let address = told.recv().expect("it starts");
    Running { url: format!("http://{address}/mcp"), shutdown, thread: Some(thread) }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.shutdown.begin();
        if let Some(thread) = self.thread.take() {
            // A panic over there has been printed already.
            let _ = thread.join();
        }
    }
}
