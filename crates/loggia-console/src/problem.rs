//! Errors of the admin API as problem details (RFC 9457). The members `nextStep` and `missing` are extensions.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use utoipa::ToSchema;

use crate::administration::AdminError;
use crate::model::AnswerField;

/// A problem.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ProblemDetails {
    /// The kind of problem, as a path in this API's description.
    r#type: String,
    /// The kind of problem, for people.
    title: String,
    /// The status code.
    status: u16,
    /// The reason, for people.
    detail: String,
    /// The next step of the user.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_step: Option<String>,
    /// The values that the user still has to give.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    missing: Vec<AnswerField>,
}

impl ProblemDetails {
    pub(crate) fn new(status: StatusCode, kind: &str, detail: impl Into<String>) -> ProblemDetails {
        ProblemDetails {
            r#type: format!("/problems/{kind}"),
            title: kind.replace('-', " "),
            status: status.as_u16(),
            detail: detail.into(),
            next_step: None,
            missing: Vec::new(),
        }
    }
}

impl From<AdminError> for Box<ProblemDetails> {
    fn from(error: AdminError) -> Box<ProblemDetails> {
        Box::new(ProblemDetails::of(error))
    }
}

impl IntoResponse for Box<ProblemDetails> {
    fn into_response(self) -> Response {
        (*self).into_response()
    }
}

impl ProblemDetails {
    fn of(error: AdminError) -> ProblemDetails {
        let with = |status, kind, reason: String, next_step| ProblemDetails {
            next_step,
            ..ProblemDetails::new(status, kind, reason)
        };
        match error {
            AdminError::NotFound { reason, next_step } => {
                with(StatusCode::NOT_FOUND, "not-found", reason, next_step)
            }
            AdminError::Refused { reason, next_step } => {
                with(StatusCode::UNPROCESSABLE_ENTITY, "refused", reason, next_step)
            }
            AdminError::Conflict { reason, next_step } => {
                with(StatusCode::CONFLICT, "conflict", reason, next_step)
            }
            AdminError::Missing(missing) => ProblemDetails {
                missing,
                ..ProblemDetails::new(StatusCode::UNPROCESSABLE_ENTITY, "missing-values", "more is needed")
            },
            AdminError::Upstream { reason, next_step } => {
                with(StatusCode::BAD_GATEWAY, "other-system-failed", reason, next_step)
            }
            AdminError::Internal(reason) => {
                ProblemDetails::new(StatusCode::INTERNAL_SERVER_ERROR, "gateway-failed", reason)
            }
        }
    }
}

impl IntoResponse for ProblemDetails {
    fn into_response(self) -> Response {
        let text = serde_json::to_vec(&self).unwrap_or_default();
        let mut response = Response::new(Body::from(text));
        *response.status_mut() =
            StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let value = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(header::CONTENT_TYPE, value);
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }
}
