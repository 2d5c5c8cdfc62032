//! A GraphQL call without a schema: the document, its request and its result.

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, Uri};
use loggia_wire::model::CallToolResult;
use loggia_wire::{JsonObject, RawJson};

use super::paging::GraphqlPaging;
use super::response::GraphqlResponse;
use crate::json_text::{ObjectText, json};
use crate::response::{ResponseLimits, cut, error_result, error_text, text_block};

/// A document that can be sent.
#[derive(Debug, Clone)]
pub struct GraphqlCall {
    name: String,
    document: String,
    operation_name: Option<String>,
    paging: Option<GraphqlPaging>,
}

impl GraphqlCall {
    /// Makes a call of the one operation of `document`. `name` is the name of the tool in messages, and `operation_name` that
    /// of the operation in the document.
    pub fn new(
        name: impl Into<String>,
        document: impl Into<String>,
        operation_name: Option<String>,
    ) -> GraphqlCall {
        GraphqlCall { name: name.into(), document: document.into(), operation_name, paging: None }
    }

    #[cfg(feature = "graphql")]
    pub(crate) fn with_paging(mut self, paging: Option<GraphqlPaging>) -> GraphqlCall {
        self.paging = paging;
        self
    }

    #[cfg(feature = "graphql")]
    pub(crate) fn paging(&self) -> Option<&GraphqlPaging> {
        self.paging.as_ref()
    }

    /// Returns the name of the tool.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the document.
    pub fn document(&self) -> &str {
        &self.document
    }

    /// Writes the request (GraphQL over HTTP, section 5): a POST to `endpoint` with these variables, without credentials.
    pub fn request(&self, endpoint: &Uri, variables: &JsonObject) -> Request<Bytes> {
        let mut body = ObjectText::new();
        body.member("query", &json(&self.document));
        if let Some(name) = &self.operation_name {
            body.member("operationName", &json(name));
        }
        body.member("variables", variables.as_str().as_bytes());
        let mut request = Request::new(Bytes::from(body.end()));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = endpoint.clone();
        let accepted = "application/graphql-response+json, application/json;q=0.9";
        request.headers_mut().insert(ACCEPT, HeaderValue::from_static(accepted));
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        request
    }

    /// Returns the result of a call: the data, without the member around a single field; errors as messages that a model can
    /// act on; both for a response with partial data.
    pub fn result(&self, response: &Response<Bytes>, limits: ResponseLimits) -> CallToolResult {
        let Some(read) = GraphqlResponse::read(response) else {
            return error_result(self.foreign_text(response));
        };
        if read.is_failure() && read.has_errors() {
            return error_result(format!("{} failed. {}", self.name, read.errors_text()));
        }
        if read.is_failure() {
            return error_result(format!("{} failed: the API returned neither data nor errors.", self.name));
        }
        let value = read.value().unwrap_or_else(|| RawJson::from_written(b"null".to_vec()));
        let mut result = CallToolResult {
            content: vec![text_block(cut(value.as_bytes(), limits.text))],
            ..CallToolResult::default()
        };
        if value.is_object() && value.as_bytes().len() <= limits.text {
            result.structured_content = Some(value);
        }
        if read.has_errors() {
            let text = format!("A part of the data is missing. {}", read.errors_text());
            result.content.push(text_block(text));
        }
        let next = self.paging.as_ref().zip(read.data()).and_then(|(paging, data)| paging.next(data));
        if let Some(cursor) = next {
            let text = format!("There are more results: call again with cursor {cursor:?}.");
            result.content.push(text_block(text));
        }
        result
    }

    /// Describes a response that does not follow the specification.
    fn foreign_text(&self, response: &Response<Bytes>) -> String {
        if !response.status().is_success() {
            return error_text(&self.name, response);
        }
        let media_type = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        format!(
            "{} failed: the response ({}) is not a GraphQL response. The user has to check the URL of the API.",
            self.name,
            media_type.unwrap_or("no media type")
        )
    }
}
