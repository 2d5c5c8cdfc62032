//! Reads the lists of a server page after page: valid entries are kept, and the others are named in warnings.
//!
//! Only the faulty part is lost: an invalid entry, an unreadable page, the pages after a repeated cursor, or the
//! entries above a bound. [`ListReading`] decides the next step, without I/O; [`page`] reads one page.

mod page;
mod warning;

use std::collections::HashSet;

use loggia_wire::model::{
    ListPromptsResult, ListResourceTemplatesResult, ListResourcesResult, ListToolsResult, PageParams, Prompt,
    Resource, ResourceTemplate, Tool,
};
use loggia_wire::{ErrorCode, Method, RawJson};

use crate::client::Client;
use crate::client::typed::{FromServerResult, cached};
use crate::error::{Error, Result};
use crate::limits::Limits;
use page::{PageBounds, PageRead};

pub use warning::ListWarning;

/// A list of a server, as far as it could be read.
#[derive(Debug, Clone, PartialEq)]
pub struct Listing<T> {
    /// The entries, in the order of the server. Each name or URI is there once.
    pub entries: Vec<T>,
    /// The JSON text of each entry, as the server wrote it. Empty if the entries were not read from JSON.
    pub sources: Vec<RawJson>,
    /// The missing entries, with the reasons: at most [`Listing::MAX_WARNINGS`]. If there are more, the last warning
    /// has their number.
    pub warnings: Vec<ListWarning>,
}

impl<T> Default for Listing<T> {
    fn default() -> Listing<T> {
        Listing { entries: Vec::new(), sources: Vec::new(), warnings: Vec::new() }
    }
}

impl<T> Listing<T> {
    /// The maximum number of warnings.
    pub const MAX_WARNINGS: usize = 32;

    /// Adds a warning, or only counts it if there are too many.
    pub fn warn(&mut self, warning: ListWarning) {
        if self.warnings.len() < Self::MAX_WARNINGS {
            return self.warnings.push(warning);
        }
        match self.warnings.last_mut() {
            Some(ListWarning::More(count)) => *count += 1,
            Some(last) => *last = ListWarning::More(2),
            None => {}
        }
    }
}

/// A page of one kind of list.
pub(crate) trait ListPage: FromServerResult + Default {
    type Entry;
    const METHOD: Method;
    /// The member with the entries.
    const MEMBER: &'static str;

    fn entries(&mut self) -> &mut Vec<Self::Entry>;
    fn cursor(&mut self) -> &mut Option<String>;
    /// Returns the name or URI of an entry, which is unique in a list.
    fn key(entry: &Self::Entry) -> &str;
    /// Handles the entries before they are returned, and may remove some of them.
    fn learn(&mut self, _: &Client) {}
}

/// Defines three methods for a list: one page, all entries, and all entries with warnings.
macro_rules! lists {
    ($($page:ident, $all:ident, $reading:ident, $method:ident,
       $result:ident { $member:ident: $item:ident . $key:ident }, $name:literal, $what:literal $(, $learn:path)?;)*) => {
        impl Client {
            $(
                #[doc = concat!("Reads one page of the ", $what, "; without a cursor the first one. Entries that cannot \
                    be read are left out, with a line in the log.")]
                pub async fn $page(&self, cursor: Option<String>) -> Result<$result> {
                    let bounds = PageBounds::of(&self.common().options.limits);
                    let read = self.page::<$result>(cursor, bounds).await?;
                    log(Method::$method, &read.warnings);
                    Ok(read.page)
                }

                #[doc = concat!("Reads all ", $what, ", page after page. Entries that cannot be read are left out, with a line \
                    in the log; [`", stringify!($reading), "`](Client::", stringify!($reading), ") returns warnings.")]
                pub async fn $all(&self) -> Result<Vec<$item>> {
                    let listing = self.$reading().await?;
                    log(Method::$method, &listing.warnings);
                    Ok(listing.entries)
                }

                #[doc = concat!("Reads all ", $what, ", page after page, and returns them with warnings about the entries \
                    that were left out. Fails if nothing can be read, or the connection fails.")]
                pub async fn $reading(&self) -> Result<Listing<$item>> {
                    self.whole::<$result>().await
                }
            )*
        }

        $(impl ListPage for $result {
            type Entry = $item;
            const METHOD: Method = Method::$method;
            const MEMBER: &'static str = $name;

            fn entries(&mut self) -> &mut Vec<$item> {
                &mut self.$member
            }

            fn cursor(&mut self) -> &mut Option<String> {
                &mut self.next_cursor
            }

            fn key(entry: &$item) -> &str {
                &entry.$key
            }

            $(fn learn(&mut self, client: &Client) {
                $learn(self, client);
            })?
        })*
    };
}

lists! {
    list_tools, list_all_tools, read_tool_list, ListTools,
        ListToolsResult { tools: Tool.name }, "tools", "tools", learn_tools;
    list_resources, list_all_resources, read_resource_list, ListResources,
        ListResourcesResult { resources: Resource.uri }, "resources", "resources";
    list_resource_templates, list_all_resource_templates, read_resource_template_list, ListResourceTemplates,
        ListResourceTemplatesResult { resource_templates: ResourceTemplate.uri_template }, "resourceTemplates",
        "resource templates";
    list_prompts, list_all_prompts, read_prompt_list, ListPrompts,
        ListPromptsResult { prompts: Prompt.name }, "prompts", "prompts";
}

fn learn_tools(page: &mut ListToolsResult, client: &Client) {
    let modern = client.version().is_none_or(|version| version.is_modern());
    client.common().tools().learn(&mut page.tools, client.common().mirrors && modern);
}

fn log(method: Method, warnings: &[ListWarning]) {
    for warning in warnings {
        tracing::warn!(%method, %warning, "a list is not complete");
    }
}

impl Client {
    async fn page<P: ListPage>(&self, cursor: Option<String>, bounds: PageBounds) -> Result<PageRead<P>> {
        let params = PageParams { cursor, ..PageParams::default() };
        let reply = self.request(P::METHOD, RawJson::of(&params), cached()).await?;
        let mut read = page::read::<P>(&reply.result, bounds)?;
        read.page.learn(self);
        Ok(read)
    }

    async fn whole<P: ListPage>(&self) -> Result<Listing<P::Entry>> {
        let limits = &self.common().options.limits;
        let mut reading = ListReading::<P>::new(limits);
        while let Some(cursor) = reading.next_page() {
            match self.page(cursor, reading.bounds).await {
                Ok(page) => reading.add(page),
                Err(error) if reading.is_stale(&error) => {
                    self.common().cache().forget(&P::METHOD);
                    reading = ListReading { started_over: true, ..ListReading::new(limits) };
                }
                // A server that has no templates need not know the method: they are a part of `resources`.
                Err(Error::Rpc(error))
                    if P::METHOD == Method::ListResourceTemplates
                        && error.code == ErrorCode::METHOD_NOT_FOUND =>
                {
                    break;
                }
                Err(error) => reading.fail(error)?,
            }
        }
        reading.finish()
    }
}

/// The state of reading a list: it keeps the bounds and detects cycles of pages.
struct ListReading<P: ListPage> {
    listing: Listing<P::Entry>,
    /// The cursor of the next page; `None` for the first one.
    cursor: Option<String>,
    /// True if there is no next page.
    over: bool,
    cursors: HashSet<String>,
    keys: HashSet<String>,
    pages: usize,
    most_pages: usize,
    bounds: PageBounds,
    started_over: bool,
    /// The error of the first page that could not be read.
    failed: Option<Error>,
}

impl<P: ListPage> ListReading<P> {
    fn new(limits: &Limits) -> ListReading<P> {
        ListReading {
            listing: Listing::default(),
            cursor: None,
            over: false,
            cursors: HashSet::new(),
            keys: HashSet::new(),
            pages: 0,
            most_pages: limits.list_pages,
            bounds: PageBounds::of(limits),
            started_over: false,
            failed: None,
        }
    }

    /// Returns the cursor of the page to fetch; the outer `None` if the list is complete.
    fn next_page(&mut self) -> Option<Option<String>> {
        if !self.over && self.pages >= self.most_pages {
            self.over = true;
            self.listing.warn(ListWarning::TooManyPages(self.most_pages));
        }
        (!self.over).then(|| self.cursor.clone())
    }

    fn add(&mut self, read: PageRead<P>) {
        let PageRead { mut page, sources, warnings, bytes, cut } = read;
        self.pages += 1;
        self.bounds.left = self.bounds.left.saturating_sub(bytes);
        for warning in warnings {
            if let ListWarning::InvalidPage(reason) = &warning {
                self.failed.get_or_insert_with(|| Error::Protocol(reason.clone()));
            }
            self.listing.warn(warning);
        }
        let mut sources = sources.into_iter();
        for entry in std::mem::take(page.entries()) {
            // Some entries may have been removed after their sources were recorded.
            let source = sources.find(|(key, _)| key == P::key(&entry));
            // A server that repeats a page repeats its entries.
            if self.keys.insert(P::key(&entry).to_owned()) {
                self.listing.entries.push(entry);
                self.listing.sources.extend(source.map(|(_, source)| source));
            }
        }
        self.go_on(page.cursor().take(), cut);
    }

    fn go_on(&mut self, cursor: Option<String>, cut: bool) {
        self.over = cursor.is_none() || cut;
        if let Some(cursor) = cursor.as_ref().filter(|_| !cut)
            && !self.cursors.insert(cursor.clone())
        {
            self.over = true;
            self.listing.warn(ListWarning::RepeatedCursor(cursor.clone()));
        }
        self.cursor = cursor;
    }

    /// Returns whether an error means that the list changed while it was read: the server does not know the cursor.
    /// Then the list is read again from its beginning, once ("Interaction with Pagination").
    fn is_stale(&self, error: &Error) -> bool {
        let refused = matches!(error, Error::Rpc(error) if error.code == ErrorCode::INVALID_PARAMS);
        refused && self.cursor.is_some() && !self.started_over
    }

    /// Records that a page cannot be read. The earlier pages are kept, unless the connection failed: then the whole
    /// list can be read later.
    fn fail(&mut self, error: Error) -> Result<()> {
        if !matches!(error, Error::Rpc(_) | Error::Protocol(_) | Error::TooLarge(_)) {
            return Err(error);
        }
        self.over = true;
        self.listing.warn(ListWarning::InvalidPage(error.to_string()));
        self.failed.get_or_insert(error);
        Ok(())
    }

    /// Returns the list. It is an error if nothing could be read.
    fn finish(self) -> Result<Listing<P::Entry>> {
        match self.failed {
            Some(error) if self.listing.entries.is_empty() => Err(error),
            _ => Ok(self.listing),
        }
    }
}
