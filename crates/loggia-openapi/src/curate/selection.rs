//! The selection of operations: those of the main objects of an API, each kind of work once before any kind twice.
//!
//! Invariant: the selection does not depend on anything but the description.

use crate::api::Api;
use crate::arguments::Destination;
use crate::class::OperationClass;
use crate::error::DescriptionError;
use crate::media_type::MediaKind;
use crate::operation::Operation;

/// The maximum number of tools of a manifest without a selection.
const MAX_TOOLS: usize = 15;
/// The maximum number of tags from which tools are taken.
const MAX_TAGS: usize = 5;
/// The number of operations that an error suggests.
const SUGGESTED: usize = 5;

/// The kinds of work on an object, in the order in which they are chosen.
#[derive(Clone, Copy, PartialEq, Eq)]
enum OperationRole {
    /// It lists or finds objects.
    List,
    /// It reads one object.
    Get,
    Create,
    Update,
}

const ROLES: [OperationRole; 4] =
    [OperationRole::List, OperationRole::Get, OperationRole::Create, OperationRole::Update];

/// Returns the operation with the name of a tool.
pub(super) fn named<'a>(api: &'a Api, name: &str) -> Result<&'a Operation, DescriptionError> {
    let operation = api.operation(name).ok_or_else(|| unknown(api, name))?;
    if is_writable(operation) {
        return Ok(operation);
    }
    let media_type = operation.body.as_ref().map(|body| body.media_type.as_str()).unwrap_or_default();
    let reason = format!("{name} has a body that a manifest cannot describe ({media_type})");
    Err(DescriptionError::Operation(reason))
}

fn unknown(api: &Api, name: &str) -> DescriptionError {
    let words: Vec<&str> = name.split('_').collect();
    let shared =
        |operation: &&Operation| operation.name().split('_').filter(|word| words.contains(word)).count();
    let mut alike: Vec<&Operation> =
        api.operations().iter().filter(|operation| shared(operation) > 0).collect();
    alike.sort_by_key(|operation| std::cmp::Reverse(shared(operation)));
    let alike: Vec<&str> = alike.into_iter().take(SUGGESTED).map(Operation::name).collect();
    let hint = if alike.is_empty() { String::new() } else { format!("; it has {}", alike.join(", ")) };
    DescriptionError::Operation(format!("the API has no operation {name}{hint}"))
}

/// Chooses operations by tags and methods, in the order of the description.
pub(super) fn defaults(api: &Api) -> Vec<&Operation> {
    let is_offered = |operation: &&Operation| {
        !operation.is_deprecated()
            && operation.class() != OperationClass::Destructive
            && is_writable(operation)
    };
    let mut tags: Vec<(&str, Vec<&Operation>)> = Vec::new();
    for operation in api.operations().iter().filter(is_offered) {
        let group = group_of(operation);
        match tags.iter_mut().find(|(known, _)| *known == group) {
            Some((_, operations)) => operations.push(operation),
            None => tags.push((group, vec![operation])),
        }
    }
    // The objects with the most operations are the main ones.
    tags.sort_by_key(|(_, operations)| std::cmp::Reverse(operations.len()));
    tags.truncate(MAX_TAGS);
    for (_, operations) in &mut tags {
        operations.sort_by_key(|operation| (operation.path().matches('{').count(), operation.path().len()));
    }
    let mut chosen: Vec<&Operation> = Vec::new();
    loop {
        let before = chosen.len();
        for role in ROLES {
            for (_, operations) in &tags {
                let is_next = |operation: &&&Operation| {
                    role_of(operation) == role && !chosen.iter().any(|known| known.name() == operation.name())
                };
                if let Some(operation) = operations.iter().find(is_next).filter(|_| chosen.len() < MAX_TOOLS)
                {
                    chosen.push(operation);
                }
            }
        }
        if chosen.len() == before {
            break;
        }
    }
    api.operations().iter().filter(|one| chosen.iter().any(|known| known.name() == one.name())).collect()
}

/// Returns the first tag, or the first segment of the path that is no version: `customers` of `/v1/customers/{id}`.
fn group_of(operation: &Operation) -> &str {
    let is_version = |segment: &str| {
        segment.strip_prefix('v').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    };
    let named = |segment: &&str| !segment.is_empty() && !segment.starts_with('{') && !is_version(segment);
    match operation.tags().first() {
        Some(tag) => tag,
        None => operation.path().split('/').find(named).unwrap_or_default(),
    }
}

fn role_of(operation: &Operation) -> OperationRole {
    let ends_in_variable = operation.path().ends_with('}');
    match (operation.class(), ends_in_variable) {
        (OperationClass::Read, true) => OperationRole::Get,
        (OperationClass::Read, false) => OperationRole::List,
        (_, true) => OperationRole::Update,
        (_, false) => OperationRole::Create,
    }
}

/// Returns whether a manifest can describe the body, and the method.
fn is_writable(operation: &Operation) -> bool {
    let is_method = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"].contains(&operation.method().as_str());
    let is_whole = operation.arguments.iter().any(|argument| argument.destination == Destination::Body);
    let is_body = operation.body.as_ref().is_none_or(|body| match body.kind() {
        MediaKind::Json => true,
        MediaKind::Form | MediaKind::Multipart => !is_whole,
        _ => false,
    });
    is_method && is_body
}
