//! The document of `/v1/openapi.json` and the routes: neither has what the other has not.

use crate::api::{Api, server};
use crate::kit::Http;
use serde_json::Value;

const METHODS: [&str; 7] = ["get", "put", "post", "delete", "patch", "options", "trace"];

fn paths(document: &Value) -> impl Iterator<Item = (&String, &Value)> {
    document["paths"].as_object().expect("paths").iter()
}

/// A path of this kind, with something where names are wanted.
fn filled(template: &str) -> String {
    let parts = template.split('/');
    let parts: Vec<_> = parts
        .map(|part| if part.starts_with('{') { "x" } else { part })
        .collect();
    parts.join("/")
}

#[tokio::test]
async fn each_path_has_the_methods_that_are_described_and_no_others() {
    let server = server().await;
    let api = Api::of(&server).await;
    for (template, item) in paths(api.document()) {
        let path = filled(template);
        for method in METHODS {
            let answer = api.raw(&method.to_uppercase(), &path, "", "").await;
            let is_described = !item[method].is_null();
            let is_there = answer.status != 405;
            assert_eq!(
                is_there, is_described,
                "{method} {template}: {}",
                answer.status
            );
            if is_there {
                continue;
            }
            answer.is_problem(405, "");
            let allowed = answer.response.header("allow").unwrap_or_default();
            let mut described: Vec<_> = METHODS
                .iter()
                .filter(|method| !item[**method].is_null())
                .map(|method| method.to_uppercase())
                .collect();
            if described.contains(&"GET".to_owned()) {
                described.push("HEAD".to_owned());
            }
            let mut allowed: Vec<_> = allowed.split(',').map(str::trim).collect();
            allowed.sort_unstable();
            described.sort_unstable();
            assert_eq!(allowed, described, "{template}");
        }
    }
}

#[tokio::test]
async fn what_is_not_described_is_not_there() {
    let server = server().await;
    let api = Api::of(&server).await;
    let document = api.document();
    for path in [
        "/v1",
        "/v1/",
        "/v2/sessions",
        "/v1/session",
        "/v1/sessions/",
        "/v1/groups/a/b/c",
        "/v1/logins",
        "/v1/openapi",
        "/sessions",
        "/ws/",
        "/http-bind/",
        "/console.json",
    ] {
        assert!(document["paths"][path].is_null(), "{path}");
        let answer = api.raw("GET", path, "", "").await;
        answer.is_problem(404, "");
    }
}

#[tokio::test]
async fn the_document_is_sound() {
    let server = server().await;
    let api = Api::of(&server).await;
    let document = api.document();
    let mut references = Vec::new();
    collect_references(document, &mut references);
    assert!(!references.is_empty());
    for reference in references {
        let pointer = reference.strip_prefix('#').expect("a reference within");
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
    for (path, item) in paths(document) {
        let operations = METHODS.iter().filter_map(|method| item.get(method));
        for operation in operations {
            let named = operation["parameters"].as_array().into_iter().flatten();
            let mut named: Vec<_> = named
                .filter(|parameter| parameter["in"] == "path")
                .map(|parameter| parameter["name"].as_str().expect("a name").to_owned())
                .collect();
            named.sort_unstable();
            let mut wanted: Vec<_> = path
                .split('/')
                .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
                .collect();
            wanted.sort_unstable();
            assert_eq!(named, wanted, "{path}");
            assert!(operation["responses"]["default"]["content"].is_object());
        }
    }
}

fn collect_references<'a>(value: &'a Value, into: &mut Vec<&'a str>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                match member {
                    Value::String(text) if name == "$ref" => into.push(text),
                    member => collect_references(member, into),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect_references(item, into)),
        _ => {}
    }
}

#[tokio::test]
async fn answers_are_not_kept() {
    let server = server().await;
    let api = Api::of(&server).await;
    for path in [
        "/v1/sessions",
        "/v1/sessions/x",
        "/v1/openapi.json",
        "/v1/figures",
        "/v1/nothing",
    ] {
        let answer = api.raw("GET", path, "", "").await;
        let kept = answer.response.header("cache-control");
        assert_eq!(kept.as_deref(), Some("no-store"), "{path}");
        let guessed = answer.response.header("x-content-type-options");
        assert_eq!(guessed.as_deref(), Some("nosniff"), "{path}");
    }
}

#[tokio::test]
async fn clients_ports_do_not_have_these_routes() {
    let server = server().await;
    let mut http = Http::connect(&server).await;
    for path in [
        "/v1/sessions",
        "/v1/openapi.json",
        "/dashboard/dashboard.js",
        "/healthz",
    ] {
        assert_eq!(http.get(path).await.status, 404, "{path}");
    }
}
