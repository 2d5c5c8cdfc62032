//! Bodies of requests: JSON, forms, multipart with files, text and bytes.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use loggia_wire::{JsonObject, JsonText, RawJson};

use crate::document::{Document, Format, boolean, items, member, members, string};
use crate::error::ArgumentError;
use crate::media_type::{MediaKind, essence, kind_of};
use crate::parameter::{deep_pairs, percent_encode, plain};
use crate::schema::{ObjectSchema, object_schema};

/// The body that an operation takes.
#[derive(Debug, Clone)]
pub(crate) struct RequestBody {
    pub(crate) media_type: String,
    pub(crate) schema: Option<RawJson>,
    pub(crate) required: bool,
    pub(crate) description: Option<String>,
    /// The members, if the body is an object whose members can be arguments of the tool.
    pub(crate) members: Option<ObjectSchema>,
    /// Members that are files, each with its media type.
    files: Vec<(String, String)>,
}

impl RequestBody {
    /// Reads the body of an operation. `parameters` are those of a Swagger 2.0 operation.
    pub(crate) fn read(
        document: &Document,
        operation: &RawJson,
        parameters: &[RawJson],
    ) -> Result<Option<RequestBody>, String> {
        match document.format() {
            Format::Swagger2 => swagger(document, operation, parameters),
            Format::OpenApi30 | Format::OpenApi31 => openapi(document, operation),
        }
    }

    pub(crate) fn kind(&self) -> MediaKind {
        kind_of(&self.media_type)
    }

    /// Returns the `Content-Type` and the bytes of a body whose members are `members`.
    pub(crate) fn of_members(&self, members: &JsonObject) -> Result<(String, Vec<u8>), ArgumentError> {
        match self.kind() {
            MediaKind::Form => Ok((self.media_type.clone(), form(members))),
            MediaKind::Multipart => self.multipart(members),
            _ => Ok((self.media_type.clone(), members.as_str().as_bytes().to_vec())),
        }
    }

    /// Returns the `Content-Type` and the bytes of a body that is one argument.
    pub(crate) fn of_value(&self, value: JsonText<'_>) -> Result<(String, Vec<u8>), ArgumentError> {
        let media_type = self.media_type.clone();
        match self.kind() {
            MediaKind::Json => Ok((media_type, value.as_bytes().to_vec())),
            MediaKind::Form | MediaKind::Multipart => {
                let members =
                    value.to_object().ok_or_else(|| ArgumentError::new("body must be an object"))?;
                self.of_members(&members)
            }
            MediaKind::Text => {
                let text = plain(value)
                    .ok_or_else(|| ArgumentError::new(format!("body must be a text ({media_type})")))?;
                Ok((media_type, text.into_bytes()))
            }
            MediaKind::Image | MediaKind::Audio | MediaKind::Binary => {
                let text = value
                    .as_str()
                    .ok_or_else(|| ArgumentError::new("body must be a text with bytes in base64"))?;
                // A description that names no type leaves it open.
                let media_type =
                    if media_type.contains('*') { "application/octet-stream".to_owned() } else { media_type };
                Ok((media_type, decode("body", &text)?))
            }
        }
    }

    fn multipart(&self, members: &JsonObject) -> Result<(String, Vec<u8>), ArgumentError> {
        let mut parts: Vec<(String, Vec<u8>)> = Vec::new();
        for (name, value) in members.iter() {
            let file = self.files.iter().find(|(known, _)| *known == name);
            // A list of files, or of texts, is one part for each.
            let values: Vec<JsonText<'_>> = match value.items() {
                Some(items) if file.is_some() || items_are_plain(value) => {
                    value.items().into_iter().flatten().chain(items.take(0)).collect()
                }
                _ => vec![value],
            };
            for value in values {
                parts.push(match file {
                    Some((_, media_type)) => file_part(&name, media_type, value)?,
                    None => text_part(&name, value),
                });
            }
        }
        let boundary = boundary(&parts);
        let mut out = Vec::new();
        for (head, content) in &parts {
            out.extend_from_slice(format!("--{boundary}\r\n{head}\r\n\r\n").as_bytes());
            out.extend_from_slice(content);
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
        Ok((format!("{}; boundary={boundary}", essence(&self.media_type)), out))
    }

    /// Returns whether a member is a file.
    pub(crate) fn is_file(&self, name: &str) -> bool {
        self.kind() == MediaKind::Multipart && self.files.iter().any(|(known, _)| known == name)
    }
}

fn items_are_plain(value: JsonText<'_>) -> bool {
    value.items().into_iter().flatten().all(|item| plain(item).is_some())
}

fn openapi(document: &Document, operation: &RawJson) -> Result<Option<RequestBody>, String> {
    let Some(body) = member(operation, "requestBody") else { return Ok(None) };
    let body = document.follow(&body)?;
    let mut content = member(&body, "content").map(|content| members(&content)).unwrap_or_default();
    let rank = |media_type: &str| match kind_of(media_type) {
        MediaKind::Json => 0,
        MediaKind::Multipart => 1,
        MediaKind::Form => 2,
        MediaKind::Text => 3,
        _ => 4,
    };
    content.sort_by_key(|(media_type, _)| rank(media_type));
    let Some((media_type, media)) = content.into_iter().next() else { return Ok(None) };
    let schema = member(&media, "schema");
    let encoding = member(&media, "encoding");
    let mut read = RequestBody::of(document, media_type, schema);
    for (name, encoding) in encoding.iter().flat_map(members) {
        let media_type = string(&encoding, "contentType");
        if let (Some(media_type), Some(file)) =
            (media_type, read.files.iter_mut().find(|(known, _)| *known == name))
        {
            // Several may be allowed; the first is as good as the others.
            file.1 = media_type.split(',').next().unwrap_or_default().trim().to_owned();
        }
    }
    read.required = boolean(&body, "required") == Some(true);
    read.description = string(&body, "description");
    Ok(Some(read))
}

fn swagger(
    document: &Document,
    operation: &RawJson,
    parameters: &[RawJson],
) -> Result<Option<RequestBody>, String> {
    let consumes = member(operation, "consumes").or_else(|| document.section("consumes").cloned());
    let consumes: Vec<String> = consumes
        .iter()
        .flat_map(items)
        .filter_map(|item| Some(item.as_text().as_str()?.into_owned()))
        .collect();
    let mut form: Vec<RawJson> = Vec::new();
    for parameter in parameters {
        let parameter = document.follow(parameter)?;
        match string(&parameter, "in").as_deref() {
            Some("body") => {
                let media_type =
                    consumes.iter().find(|name| kind_of(name) == MediaKind::Json).or(consumes.first());
                let media_type = media_type.cloned().unwrap_or_else(|| "application/json".to_owned());
                let mut read = RequestBody::of(document, media_type, member(&parameter, "schema"));
                read.required = boolean(&parameter, "required") == Some(true);
                read.description = string(&parameter, "description");
                return Ok(Some(read));
            }
            Some("formData") => form.push(parameter),
            _ => {}
        }
    }
    if form.is_empty() {
        return Ok(None);
    }
    let is_file = |parameter: &RawJson| string(parameter, "type").as_deref() == Some("file");
    let has_files = form.iter().any(is_file);
    let is_multipart = has_files || consumes.iter().any(|name| kind_of(name) == MediaKind::Multipart);
    let media_type = if is_multipart { "multipart/form-data" } else { "application/x-www-form-urlencoded" };
    let name = |parameter: &RawJson| string(parameter, "name").unwrap_or_default();
    let required: Vec<String> =
        form.iter().filter(|parameter| boolean(parameter, "required") == Some(true)).map(name).collect();
    Ok(Some(RequestBody {
        media_type: media_type.to_owned(),
        schema: None,
        required: !required.is_empty(),
        description: None,
        files: form
            .iter()
            .filter(|parameter| is_file(parameter))
            .map(|parameter| (name(parameter), OCTETS.to_owned()))
            .collect(),
        members: Some(ObjectSchema {
            properties: form.iter().map(|parameter| (name(parameter), parameter.clone())).collect(),
            required,
        }),
    }))
}

const OCTETS: &str = "application/octet-stream";

impl RequestBody {
    fn of(document: &Document, media_type: String, schema: Option<RawJson>) -> RequestBody {
        let can_have_members =
            matches!(kind_of(&media_type), MediaKind::Json | MediaKind::Form | MediaKind::Multipart);
        let members =
            schema.as_ref().filter(|_| can_have_members).and_then(|schema| object_schema(document, schema));
        let properties = members.iter().flat_map(|members| &members.properties);
        let files = properties
            .filter(|(_, schema)| is_file_schema(document, schema))
            .map(|(name, _)| (name.clone(), OCTETS.to_owned()));
        RequestBody {
            files: files.collect(),
            media_type,
            schema,
            required: false,
            description: None,
            members,
        }
    }
}

/// Returns whether a schema describes bytes: `format: binary` (3.0), `contentMediaType` or no type at all (3.1), or a list of
/// these.
fn is_file_schema(document: &Document, schema: &RawJson) -> bool {
    let Ok(schema) = document.follow(schema) else { return false };
    let is_binary = matches!(string(&schema, "format").as_deref(), Some("binary" | "byte"));
    let has_media_type =
        string(&schema, "contentMediaType").is_some_and(|name| kind_of(&name) != MediaKind::Json);
    is_binary
        || has_media_type
        || string(&schema, "type").as_deref() == Some("file")
        || member(&schema, "items").is_some_and(|items| is_file_schema(document, &items))
}

/// Writes members as `application/x-www-form-urlencoded`. Objects and lists are written as `name[key]=value`.
fn form(members: &JsonObject) -> Vec<u8> {
    let mut pairs = Vec::new();
    for (name, value) in members.iter() {
        deep_pairs(&percent_encode(&name), value, &mut pairs);
    }
    let pairs: Vec<String> = pairs.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    pairs.join("&").into_bytes()
}

/// Returns the headers and the content of a file: a text in base64, or `{"data": …, "filename": …, "content_type": …}`.
fn file_part(name: &str, media_type: &str, value: JsonText<'_>) -> Result<(String, Vec<u8>), ArgumentError> {
    let object = value.to_object();
    let text = |member: &str| object.as_ref()?.get(member)?.as_str().map(|text| text.into_owned());
    let file_name = text("filename").unwrap_or_else(|| "file".to_owned());
    let media_type = text("content_type").unwrap_or_else(|| media_type.to_owned());
    let content = match (text("text"), text("data").or_else(|| value.as_str().map(|text| text.into_owned())))
    {
        (Some(text), _) => text.into_bytes(),
        (None, Some(data)) => decode(name, &data)?,
        (None, None) => {
            return Err(ArgumentError::new(format!(
                "{name} is a file: give its bytes in base64, or an object with data (base64) or text, filename and content_type"
            )));
        }
    };
    let head = format!(
        "Content-Disposition: form-data; name=\"{}\"; filename=\"{}\"\r\nContent-Type: {}",
        quoted(name),
        quoted(&file_name),
        media_type.replace(['\r', '\n'], "")
    );
    Ok((head, content))
}

fn text_part(name: &str, value: JsonText<'_>) -> (String, Vec<u8>) {
    let disposition = format!("Content-Disposition: form-data; name=\"{}\"", quoted(name));
    match plain(value) {
        Some(text) => (disposition, text.into_bytes()),
        None => (format!("{disposition}\r\nContent-Type: application/json"), value.as_bytes().to_vec()),
    }
}

/// Escapes a name as browsers do (WHATWG HTML, "Multipart form data").
fn quoted(text: &str) -> String {
    text.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A")
}

/// Returns a boundary that no part contains.
fn boundary(parts: &[(String, Vec<u8>)]) -> String {
    let contains = |boundary: &str| {
        parts
            .iter()
            .any(|(_, content)| content.windows(boundary.len()).any(|window| window == boundary.as_bytes()))
    };
    let candidates = (0u32..).map(|n| format!("loggia-part-{n:08}"));
    candidates.into_iter().find(|boundary| !contains(boundary)).unwrap_or_default()
}

fn decode(name: &str, text: &str) -> Result<Vec<u8>, ArgumentError> {
    // A data URL carries its base64 behind a comma.
    let text = text.strip_prefix("data:").and_then(|url| url.split_once(',')).map_or(text, |(_, data)| data);
    let text: String = text.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    STANDARD
        .decode(text)
        .map_err(|error| ArgumentError::new(format!("{name} must be bytes in base64: {error}")))
}
