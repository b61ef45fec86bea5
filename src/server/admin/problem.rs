//! What went wrong, as RFC 9457 wants it told.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use std::fmt::Display;
use utoipa::ToSchema;

/// Its media type (RFC 9457 §3).
pub(super) const PROBLEM_JSON: &str = "application/problem+json";

/// Why a request was not done (RFC 9457). Nothing was changed.
#[derive(Debug, Serialize, ToSchema)]
pub struct Problem {
    /// Always "about:blank": the status says what kind of problem it is.
    r#type: &'static str,
    /// The words of the status.
    title: &'static str,
    /// The status of the answer.
    #[schema(value_type = u16)]
    status: u16,
    /// What is wrong with this request.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    /// What is wrong, one by one, where there can be several things.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<String>,
}

impl Problem {
    pub fn of(status: StatusCode) -> Self {
        Self {
            r#type: "about:blank",
            title: status.canonical_reason().unwrap_or_default(),
            status: status.as_u16(),
            detail: None,
            errors: Vec::new(),
        }
    }

    pub fn because(mut self, detail: impl Display) -> Self {
        self.detail = Some(detail.to_string());
        self
    }

    pub fn listing(mut self, errors: Vec<String>) -> Self {
        self.errors = errors;
        self
    }

    /// 400: what was sent makes no sense.
    pub fn bad(detail: impl Display) -> Self {
        Self::of(StatusCode::BAD_REQUEST).because(detail)
    }

    /// 404
    pub fn no(what: &str) -> Self {
        Self::of(StatusCode::NOT_FOUND).because(format_args!("there is no such {what}"))
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status);
        let mut response = super::input::Json(self).into_response();
        *response.status_mut() = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let kind = HeaderValue::from_static(PROBLEM_JSON);
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        super::is_so_now(response.headers_mut());
        response
    }
}
