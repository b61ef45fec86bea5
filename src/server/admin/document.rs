//! `/v1/openapi.json`, and the routes that it describes: both come from one declaration.

use super::problem::{PROBLEM_JSON, Problem};
use super::{Admin, endpoints, figures, groups, logins, options, send, sessions, tickets};
use axum::Router;
use axum::handler::Handler;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::{MethodFilter, on};
use serde_json::{Value, json};
use std::sync::LazyLock;
use utoipa::OpenApi;

/// Each handler stands here once. Where it is served is what its `#[utoipa::path]` says, so a route
/// without a description cannot be, nor a description without a route.
macro_rules! routes {
    ($($module:ident :: $handler:ident),+ $(,)?) => {
        #[derive(OpenApi)]
        #[openapi(
            info(
                title = "stanzad, the admin port",
                description = "What an application in any language, and an operator, do with the server.",
            ),
            paths($($module::$handler),+),
            components(schemas(Problem)),
            tags(
                (name = "sessions", description = "Who is here, and what is sent to them."),
                (name = "groups", description = "Named sets of sessions."),
                (name = "logins", description = "Who may come in, and who no longer."),
                (name = "server", description = "The server itself."),
            ),
        )]
        struct Declared;

        /// Everything below `/v1`.
        pub(super) fn routes() -> Router<Admin> {
            let mut router = Router::new();
            $( router = mount(router, stringify!($handler), $module::$handler); )+
            router
        }

        #[cfg(test)]
        pub(super) const HANDLERS: &[&str] = &[$(stringify!($handler)),+];
    };
}

routes! {
    sessions::list_sessions,
    sessions::get_session,
    sessions::close_sessions,
    sessions::session_exists,
    send::send,
    groups::list_groups,
    groups::get_group,
    groups::join_group,
    groups::leave_group,
    logins::close_login,
    logins::revoke,
    tickets::make_ticket,
    endpoints::list_endpoints,
    options::list_options,
    options::change_options,
    figures::get_figures,
    here::describe,
}

static DOCUMENT: LazyLock<Value> = LazyLock::new(|| {
    let mut document = serde_json::to_value(Declared::openapi()).unwrap_or_default();
    document["components"]["securitySchemes"] = json!({
        "token": {
            "type": "http", "scheme": "bearer",
            "description": "The token of admin.token_file, if the server has one.",
        },
    });
    document["security"] = json!([{}, {"token": []}]);
    for (_, operation) in operations_of(&mut document) {
        tell_of_problems(operation);
    }
    document
});

/// Every answer that is no success is a problem, whether its status is listed or not.
fn tell_of_problems(operation: &mut Value) {
    let schema = json!({"$ref": "#/components/schemas/Problem"});
    let content = json!({PROBLEM_JSON: {"schema": schema}});
    let Some(responses) = operation["responses"].as_object_mut() else {
        return;
    };
    responses.insert(
        "default".to_owned(),
        json!({"description": "It was not done; the status says why."}),
    );
    for (status, response) in responses {
        if !status.starts_with('2') {
            response["content"] = content.clone();
        }
    }
}

/// The operations with the method and the path of each.
fn operations_of(document: &mut Value) -> impl Iterator<Item = ((String, String), &mut Value)> {
    let paths = document["paths"].as_object_mut().into_iter().flatten();
    paths.flat_map(|(path, item)| {
        let methods = item.as_object_mut().into_iter().flatten();
        methods
            .filter(|(_, operation)| operation["operationId"].is_string())
            .map(move |(method, operation)| ((method.to_uppercase(), path.clone()), operation))
    })
}

/// Where the document says that a handler is.
fn place_of(handler: &str) -> Option<(MethodFilter, String)> {
    let mut document = DOCUMENT.clone();
    let mut operations = operations_of(&mut document);
    let (place, _) = operations.find(|(_, operation)| operation["operationId"] == handler)?;
    let method = axum::http::Method::from_bytes(place.0.as_bytes()).ok()?;
    Some((MethodFilter::try_from(method).ok()?, place.1))
}

fn mount<H, T>(router: Router<Admin>, name: &str, handler: H) -> Router<Admin>
where
    H: Handler<T, Admin>,
    T: 'static,
{
    match place_of(name) {
        Some((method, path)) => router.route(&path, on(method, handler)),
        None => router, // a test tells of it
    }
}

mod here {
    use super::*;

    /// Describes these routes
    ///
    /// By OpenAPI 3.1.
    #[utoipa::path(
        get, path = "/v1/openapi.json", tag = "server",
        responses((status = 200, body = Value, description = "This document.")),
    )]
    pub(super) async fn describe() -> impl IntoResponse {
        let kind = (header::CONTENT_TYPE, "application/json");
        (StatusCode::OK, [kind], DOCUMENT.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn each_handler_has_a_place_and_each_place_a_handler() {
        let mut document = DOCUMENT.clone();
        let described = operations_of(&mut document);
        let described: BTreeSet<String> = described
            .map(|(_, operation)| operation["operationId"].as_str().unwrap().to_owned())
            .collect();
        let handlers: BTreeSet<String> = HANDLERS.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(described, handlers);
        assert_eq!(handlers.len(), HANDLERS.len());
        for name in HANDLERS {
            assert!(place_of(name).is_some(), "{name}");
        }
    }

    #[test]
    fn every_path_is_below_v1_and_every_operation_says_what_it_is() {
        let mut document = DOCUMENT.clone();
        assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
        for ((method, path), operation) in operations_of(&mut document) {
            assert!(path.starts_with("/v1/"), "{path}");
            for what in ["summary", "tags"] {
                assert!(!operation[what].is_null(), "{method} {path}: no {what}");
            }
        }
    }
}
