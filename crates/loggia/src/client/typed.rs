//! A method for each of the protocol's requests.

use std::collections::HashSet;

use loggia_wire::model::{
    CallToolResult, CompleteParams, CompleteResult, EmptyResult, GetPromptParams, GetPromptResult,
    ListPromptsResult, ListResourceTemplatesResult, ListResourcesResult, ListToolsResult, LoggingLevel,
    PageParams, Prompt, ReadResourceParams, ReadResourceResult, Resource, ResourceTemplate, ServerResult,
    SetLevelParams, SubscribeParams, Tool,
};
use loggia_wire::shape::Shape;
use loggia_wire::vec_map::Named;
use loggia_wire::{ErrorCode, Method, RawJson, codec};

use crate::client::{Client, RequestOptions};
use crate::error::{Error, Result};

/// A result that belongs to one method.
pub(crate) trait FromServerResult: Sized {
    fn take(result: ServerResult) -> Option<Self>;
}

macro_rules! results {
    ($($variant:ident: $type:ty),* $(,)?) => {
        $(impl FromServerResult for $type {
            fn take(result: ServerResult) -> Option<$type> {
                match result {
                    ServerResult::$variant(result) => Some(result),
                    _ => None,
                }
            }
        })*
    };
}

results! {
    ListTools: ListToolsResult,
    CallTool: CallToolResult,
    ListResources: ListResourcesResult,
    ListResourceTemplates: ListResourceTemplatesResult,
    ReadResource: ReadResourceResult,
    ListPrompts: ListPromptsResult,
    GetPrompt: GetPromptResult,
    Complete: CompleteResult,
    Empty: EmptyResult,
}

/// The two ways to list: a page, and everything.
macro_rules! lists {
    ($($page:ident, $all:ident, $method:ident, $result:ident { $member:ident: $item:ident }, $what:literal;)*) => {
        impl Client {
            $(
                #[doc = concat!("One page of the ", $what, "; without a cursor the first.")]
                pub async fn $page(&self, cursor: Option<String>) -> Result<$result> {
                    self.page(Method::$method, cursor).await
                }

                #[doc = concat!("All the ", $what, ", page after page.")]
                pub async fn $all(&self) -> Result<Vec<$item>> {
                    let mut pages = Pages::new(Method::$method);
                    let mut all = Vec::new();
                    while pages.more(self)? {
                        match self.$page(pages.cursor()).await {
                            Ok(page) => {
                                all.extend(page.$member);
                                pages.next(page.next_cursor)?;
                            }
                            Err(error) => {
                                pages.start_over(self, error)?;
                                all.clear();
                            }
                        }
                    }
                    Ok(all)
                }
            )*
        }
    };
}

lists! {
    list_tools, list_all_tools, ListTools, ListToolsResult { tools: Tool }, "tools";
    list_resources, list_all_resources, ListResources, ListResourcesResult { resources: Resource }, "resources";
    list_resource_templates, list_all_resource_templates, ListResourceTemplates,
        ListResourceTemplatesResult { resource_templates: ResourceTemplate }, "resource templates";
    list_prompts, list_all_prompts, ListPrompts, ListPromptsResult { prompts: Prompt }, "prompts";
}

impl Client {
    /// Reads a resource.
    pub async fn read_resource(&self, uri: impl Into<String>) -> Result<ReadResourceResult> {
        let params = ReadResourceParams { uri: uri.into(), ..ReadResourceParams::default() };
        self.typed(Method::ReadResource, &params, cached()).await
    }

    /// Renders a prompt.
    pub async fn get_prompt<K: Into<String>, V: Into<String>>(
        &self,
        name: impl Into<String>,
        arguments: impl IntoIterator<Item = (K, V)>,
    ) -> Result<GetPromptResult> {
        let arguments: Named<String> =
            arguments.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        let arguments = (!arguments.is_empty()).then_some(arguments);
        let params = GetPromptParams { name: name.into(), arguments, ..GetPromptParams::default() };
        self.typed(Method::GetPrompt, &params, RequestOptions::default()).await
    }

    /// Completes an argument of a prompt or a resource template.
    pub async fn complete(&self, params: CompleteParams) -> Result<CompleteResult> {
        self.typed(Method::Complete, &params, RequestOptions::default()).await
    }

    /// Asks whether the server is there. Where the revision has no `ping`, asks `server/discover`.
    pub async fn ping(&self) -> Result<()> {
        let stateless = self.server().await?.version.is_stateless();
        let method = if stateless { Method::Discover } else { Method::Ping };
        self.request(method, RawJson::empty_object(), RequestOptions::default()).await.map(drop)
    }

    /// Says which log messages are wanted from now on. In the handshake era this is told to the server; in
    /// the stateless era every later request says it.
    pub async fn set_log_level(&self, level: LoggingLevel) -> Result<()> {
        self.common().set_log_level(level);
        let server = self.server().await?;
        if server.version.is_stateless() || server.capabilities.logging.is_none() {
            return Ok(());
        }
        let params = SetLevelParams { level, meta: None, extra: Default::default() };
        self.typed::<EmptyResult>(Method::SetLogLevel, &params, RequestOptions::default()).await.map(drop)
    }

    /// `resources/subscribe` or its opposite, of the handshake era.
    pub(crate) async fn subscribe(&self, method: Method, uri: &str) -> Result<()> {
        let params = SubscribeParams { uri: uri.to_owned(), ..SubscribeParams::default() };
        self.typed::<EmptyResult>(method, &params, RequestOptions::default()).await.map(drop)
    }

    async fn page<T: FromServerResult + Learn>(&self, method: Method, cursor: Option<String>) -> Result<T> {
        let params = PageParams { cursor, ..PageParams::default() };
        let mut page: T = self.typed(method, &params, cached()).await?;
        page.learn(self);
        Ok(page)
    }

    /// Makes a request and reads its result.
    pub(crate) async fn typed<T: FromServerResult>(
        &self,
        method: Method,
        params: &impl Shape,
        options: RequestOptions,
    ) -> Result<T> {
        let reply = self.request(method.clone(), RawJson::of(params), options).await?;
        let result = codec::decode_complete_result(&method, &reply.result)
            .map_err(|error| Error::Protocol(error.to_string()))?;
        T::take(result)
            .ok_or_else(|| Error::Protocol(format!("{method} answered with the result of something else")))
    }
}

fn cached() -> RequestOptions {
    RequestOptions { cache: true, ..RequestOptions::default() }
}

/// What a page teaches the client.
trait Learn {
    fn learn(&mut self, client: &Client);
}

impl Learn for ListToolsResult {
    fn learn(&mut self, client: &Client) {
        let stateless = client.version().is_none_or(|version| version.is_stateless());
        client.common().tools().learn(&mut self.tools, client.common().mirrors && stateless);
    }
}

impl Learn for ListResourcesResult {
    fn learn(&mut self, _: &Client) {}
}

impl Learn for ListResourceTemplatesResult {
    fn learn(&mut self, _: &Client) {}
}

impl Learn for ListPromptsResult {
    fn learn(&mut self, _: &Client) {}
}

/// The way through a list: bounded, never in a circle.
struct Pages {
    method: Method,
    cursor: Option<String>,
    seen: HashSet<String>,
    fetched: usize,
    done: bool,
    started_over: bool,
}

impl Pages {
    fn new(method: Method) -> Pages {
        Pages { method, cursor: None, seen: HashSet::new(), fetched: 0, done: false, started_over: false }
    }

    /// Whether another page is to be fetched.
    fn more(&self, client: &Client) -> Result<bool> {
        let most = client.common().options.limits.list_pages;
        if !self.done && self.fetched >= most {
            return Err(Error::Protocol(format!("{} has more than {most} pages", self.method)));
        }
        Ok(!self.done)
    }

    fn cursor(&self) -> Option<String> {
        self.cursor.clone()
    }

    fn next(&mut self, cursor: Option<String>) -> Result<()> {
        self.fetched += 1;
        self.done = cursor.is_none();
        if let Some(cursor) = &cursor
            && !self.seen.insert(cursor.clone())
        {
            return Err(Error::Protocol(format!(
                "{} goes in circles: it repeats the cursor {cursor:?}",
                self.method
            )));
        }
        self.cursor = cursor;
        Ok(())
    }

    /// A cursor that the server no longer knows means that the list changed while we read it: begin again,
    /// once ("Interaction with Pagination").
    fn start_over(&mut self, client: &Client, error: Error) -> Result<()> {
        let stale = matches!(&error, Error::Rpc(error) if error.code == ErrorCode::INVALID_PARAMS);
        if !stale || self.cursor.is_none() || self.started_over {
            return Err(error);
        }
        client.common().cache().forget(&self.method);
        *self = Pages { started_over: true, ..Pages::new(self.method.clone()) };
        Ok(())
    }
}
