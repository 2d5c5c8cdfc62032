//! The HTTP request of a call.

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, COOKIE};
use http::{HeaderName, HeaderValue, Request, Uri};
use loggia_wire::{JsonObject, JsonText};

use crate::arguments::{Argument, CURSOR, Destination};
use crate::error::ArgumentError;
use crate::operation::Operation;
use crate::parameter::{ApiParameter, Location};

/// The parts of a request, as arguments fill them.
#[derive(Default)]
struct RequestParts {
    path: Vec<(String, String)>,
    query: Vec<(String, String)>,
    headers: Vec<(String, String)>,
    cookies: Vec<(String, String)>,
    members: JsonObject,
    body: Option<(String, Vec<u8>)>,
}

impl Operation {
    /// Writes the request of a call, without credentials ([`SecurityScheme::authorize`](crate::SecurityScheme::authorize)
    /// adds them).
    pub fn request(&self, base_url: &Uri, arguments: &JsonObject) -> Result<Request<Bytes>, ArgumentError> {
        self.check_names(arguments)?;
        let mut parts = RequestParts::default();
        for argument in &self.arguments {
            self.fill(argument, arguments, &mut parts)?;
        }
        let is_empty = parts.members.is_empty();
        if let Some(body) =
            self.body.as_ref().filter(|body| body.members.is_some() && (!is_empty || body.required))
        {
            parts.body = Some(body.of_members(&parts.members)?);
        }
        self.write(base_url, parts)
    }

    /// Refuses names that the tool does not have: a misspelt argument would be lost.
    fn check_names(&self, arguments: &JsonObject) -> Result<(), ArgumentError> {
        let paging = self.paging.as_ref().map(|paging| paging.argument.as_str());
        let known: Vec<&str> = self
            .arguments
            .iter()
            .map(|argument| argument.name.as_str())
            .filter(|name| paging != Some(name))
            .chain(paging.map(|_| CURSOR))
            .collect();
        match arguments.keys().find(|name| !known.contains(&name.as_ref())) {
            Some(unknown) => Err(ArgumentError::new(format!(
                "{} takes no argument {unknown:?}; it takes {}",
                self.name,
                if known.is_empty() { "none".to_owned() } else { known.join(", ") }
            ))),
            None => Ok(()),
        }
    }

    fn fill(
        &self,
        argument: &Argument,
        arguments: &JsonObject,
        parts: &mut RequestParts,
    ) -> Result<(), ArgumentError> {
        let paged = match self.paging.as_ref().filter(|paging| paging.argument == argument.name) {
            Some(paging) => {
                let cursor = arguments
                    .get(CURSOR)
                    .and_then(|cursor| cursor.as_str())
                    .filter(|cursor| !cursor.is_empty());
                let Some(cursor) = cursor else { return Ok(()) };
                Some(paging.native_value(&cursor))
            }
            None => None,
        };
        let value = paged.as_ref().map(|value| value.as_text()).or_else(|| arguments.get(&argument.name));
        // A model writes null for an argument that it leaves out. In a JSON body null is a value.
        let is_absent = |value: &JsonText<'_>| {
            value.is_null() && matches!(argument.destination, Destination::Parameter(_))
        };
        let Some(value) = value.filter(|value| !is_absent(value)) else {
            return match argument.required {
                true => {
                    Err(ArgumentError::new(format!("{} needs the argument {}", self.name, argument.name)))
                }
                false => Ok(()),
            };
        };
        match &argument.destination {
            Destination::Parameter(at) => self.fill_parameter(&self.parameters[*at], value, parts),
            Destination::Member(name) => {
                parts.members.insert(name, value.to_raw());
                Ok(())
            }
            Destination::Body => {
                parts.body = self.body.as_ref().map(|body| body.of_value(value)).transpose()?;
                Ok(())
            }
        }
    }

    fn fill_parameter(
        &self,
        parameter: &ApiParameter,
        value: JsonText<'_>,
        parts: &mut RequestParts,
    ) -> Result<(), ArgumentError> {
        match parameter.location {
            Location::Path => parts.path.push((parameter.name.clone(), parameter.path_value(value)?)),
            Location::Query => parameter.query_pairs(value, &mut parts.query)?,
            Location::Header => parts.headers.push((parameter.name.clone(), parameter.header_value(value)?)),
            Location::Cookie => parameter.cookie_pairs(value, &mut parts.cookies)?,
        }
        Ok(())
    }

    fn write(&self, base_url: &Uri, parts: RequestParts) -> Result<Request<Bytes>, ArgumentError> {
        let mut path = self.path.clone();
        for (name, value) in &parts.path {
            path = path.replace(&format!("{{{name}}}"), value);
        }
        let mut url = format!("{}{path}", base_url.to_string().trim_end_matches('/'));
        let pairs: Vec<String> = parts.query.iter().map(|(name, value)| format!("{name}={value}")).collect();
        if !pairs.is_empty() {
            url = format!("{url}{}{}", if url.contains('?') { '&' } else { '?' }, pairs.join("&"));
        }
        let uri: Uri = url
            .parse()
            .map_err(|_| ArgumentError::new(format!("the arguments of {} make no URL", self.name)))?;
        let (media_type, body) =
            parts.body.map_or((None, Bytes::new()), |(kind, body)| (Some(kind), body.into()));
        let mut request = Request::new(body);
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = uri;
        let headers = request.headers_mut();
        headers.insert(ACCEPT, header_value("Accept", &self.accept)?);
        if let Some(media_type) = media_type {
            headers.insert(CONTENT_TYPE, header_value("Content-Type", &media_type)?);
        }
        for (name, value) in &parts.headers {
            let key = HeaderName::try_from(name.as_str())
                .map_err(|_| ArgumentError::new(format!("{name:?} is not the name of a header")))?;
            headers.insert(key, header_value(name, value)?);
        }
        if !parts.cookies.is_empty() {
            let pairs: Vec<String> =
                parts.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            headers.insert(COOKIE, header_value("Cookie", &pairs.join("; "))?);
        }
        Ok(request)
    }
}

fn header_value(name: &str, value: &str) -> Result<HeaderValue, ArgumentError> {
    HeaderValue::from_str(value).map_err(|_| {
        ArgumentError::new(format!("{name} has characters that no header can hold (line breaks, for one)"))
    })
}
