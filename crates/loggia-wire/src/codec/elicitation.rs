//! Removes from requests to a client the features that their revision does not have.

use super::Downgrade;
use super::items::since;
use crate::model::*;
use crate::version::Version;
use Version::{V2025_03_26, V2025_06_18, V2025_11_25};

impl Downgrade for InputRequest {
    fn downgrade(&mut self, version: Version) {
        match self {
            InputRequest::Elicit(params) => params.downgrade(version),
            InputRequest::CreateMessage(params) => params.downgrade(version),
            InputRequest::ListRoots(_) => {}
        }
    }
}

impl Downgrade for ElicitParams {
    fn downgrade(&mut self, version: Version) {
        match self {
            ElicitParams::Form(form) => {
                since!(version, V2025_11_25: form.mode, form.requested_schema.schema);
                form.requested_schema.properties.values_mut().for_each(|field| field.downgrade(version));
            }
            ElicitParams::Url(url) if version == V2025_11_25 => {
                url.elicitation_id.get_or_insert_with(|| url.url.clone());
            }
            ElicitParams::Url(url) => url.elicitation_id = None,
        }
    }
}

/// Before 2025-11-25, fields have no default (except Boolean fields), the titles of values are written as
/// `enumNames`, and a choice of several values does not exist: it becomes a text field.
impl Downgrade for PrimitiveSchema {
    fn downgrade(&mut self, version: Version) {
        if version >= V2025_11_25 {
            if let PrimitiveSchema::MultiEnum(field) = self
                && field.items.values.is_some()
            {
                field.items.kind = Some(StringType::String);
            }
            return;
        }
        match self {
            PrimitiveSchema::String(field) => field.default = None,
            PrimitiveSchema::Number(field) => field.default = None,
            PrimitiveSchema::Boolean(_) => {}
            PrimitiveSchema::Enum(field) => old_enum(field),
            PrimitiveSchema::MultiEnum(field) => *self = PrimitiveSchema::String(several_as_text(field)),
        }
    }
}

fn old_enum(field: &mut EnumSchema) {
    field.default = None;
    if let Some(options) = field.one_of.take() {
        field.enum_names = Some(options.iter().map(|option| option.title.clone()).collect());
        field.values = Some(options.into_iter().map(|option| option.value).collect());
    }
}

fn several_as_text(field: &MultiEnumSchema) -> StringSchema {
    let values: Vec<&str> = match (&field.items.values, &field.items.any_of) {
        (Some(values), _) => values.iter().map(String::as_str).collect(),
        (None, Some(options)) => options.iter().map(|option| option.value.as_str()).collect(),
        (None, None) => Vec::new(),
    };
    let hint = format!("Any of, separated by commas: {}", values.join(", "));
    let description = match &field.description {
        Some(description) => format!("{description}. {hint}"),
        None => hint,
    };
    StringSchema { title: field.title.clone(), description: Some(description), ..StringSchema::default() }
}

impl Downgrade for CreateMessageParams {
    fn downgrade(&mut self, version: Version) {
        since!(version, V2025_11_25: self.tools, self.tool_choice);
        self.tools.downgrade(version);
        self.messages.downgrade(version);
    }
}

impl Downgrade for SamplingMessage {
    fn downgrade(&mut self, version: Version) {
        since!(version, V2025_11_25: self.meta);
        self.content.downgrade(version);
    }
}

/// Before 2025-11-25, a message has one block. Several blocks are joined as text; a block that is not text is
/// described in words.
impl Downgrade for SamplingContent {
    fn downgrade(&mut self, version: Version) {
        match self {
            SamplingContent::Many(blocks) if version < V2025_11_25 => {
                *self = SamplingContent::One(join(blocks))
            }
            SamplingContent::Many(blocks) => blocks.downgrade(version),
            SamplingContent::One(_) => {}
        }
        if let SamplingContent::One(block) = self {
            block.downgrade(version);
        }
    }
}

fn join(blocks: &mut Vec<SamplingContentBlock>) -> SamplingContentBlock {
    if blocks.len() == 1 {
        return blocks.remove(0);
    }
    let text: Vec<String> = blocks.iter().map(in_words).collect();
    SamplingContentBlock::Text(TextContent::new(text.join("\n")))
}

fn in_words(block: &SamplingContentBlock) -> String {
    match block {
        SamplingContentBlock::Text(content) => content.text.clone(),
        SamplingContentBlock::Image(content) => format!("[{} omitted]", content.mime_type),
        SamplingContentBlock::Audio(content) => format!("[{} omitted]", content.mime_type),
        SamplingContentBlock::ToolUse(content) => {
            let input = serde_json::to_string(&content.input).unwrap_or_default();
            format!("[uses tool {} with {input}]", content.name)
        }
        SamplingContentBlock::ToolResult(content) => {
            let texts: Vec<&str> = content.content.iter().filter_map(ContentBlock::as_text).collect();
            format!("[tool result: {}]", texts.join("\n"))
        }
    }
}

impl Downgrade for SamplingContentBlock {
    fn downgrade(&mut self, version: Version) {
        let lacks = match self {
            SamplingContentBlock::Audio(_) => version < V2025_03_26,
            SamplingContentBlock::ToolUse(_) | SamplingContentBlock::ToolResult(_) => version < V2025_11_25,
            _ => false,
        };
        if lacks {
            *self = SamplingContentBlock::Text(TextContent::new(in_words(self)));
        }
        match self {
            SamplingContentBlock::Text(content) => content.downgrade(version),
            SamplingContentBlock::Image(content) => content.downgrade(version),
            SamplingContentBlock::Audio(content) => content.downgrade(version),
            SamplingContentBlock::ToolUse(content) => since!(version, V2025_06_18: content.meta),
            SamplingContentBlock::ToolResult(content) => content.content.downgrade(version),
        }
    }
}
