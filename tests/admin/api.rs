//! A client of the admin port that believes the document of `/v1/openapi.json`, and nothing else.

use crate::kit::{Client, Handshake, Http, Response, TestServer};
use axum::http::StatusCode;
use serde_json::Value;
use stanzad::auth::Admission;
use stanzad::config::Config;
use stanzad::server::{Authenticator, Handover, Server};
use std::net::SocketAddr;

/// A server with an admin port and two endpoints: `/ws/` and `/ws/push/`.
pub async fn server() -> TestServer {
    with(&[]).await
}

pub async fn with(options: &[&str]) -> TestServer {
    let ours = [
        "listen.admin=127.0.0.1:0",
        "endpoint.1.name=push",
        "endpoint.1.path=/ws/push/",
    ];
    let all: Vec<_> = ours.iter().chain(options).copied().collect();
    TestServer::with(&all).await
}

/// Where the admin port is.
pub fn address(server: &Server) -> SocketAddr {
    server.config().listen.admin.expect("an admin port")
}

/// Bound, by the endpoint of this path.
pub async fn login_at(server: &TestServer, path: &str, name: &str, resource: &str) -> Client {
    let handshake = Handshake::new().line(&format!("GET {path} HTTP/1.1"));
    let (response, ws) = handshake.send(server).await;
    assert_eq!(response.status, 101);
    let mut client = Client::on(ws).await;
    client.plain(name).await;
    client.bind(Some(resource)).await;
    client
}

/// Whoever names a login in the query is let in with it.
pub struct ByLogin;

impl Authenticator for ByLogin {
    async fn admit(
        &self,
        handshake: &stanzad::http::gate::Handshake,
    ) -> Result<Admission, StatusCode> {
        Ok(Admission {
            login: handshake.parameter("login"),
            ..Admission::default()
        })
    }
}

/// The same server with [`ByLogin`].
pub async fn with_logins() -> TestServer {
    let TestServer { server, state } = server().await;
    let config: Config = (*server.config()).clone();
    server.stop().await;
    let server = Server::builder(config).authenticator(ByLogin);
    let server = server.start_on(Handover::default()).await;
    TestServer {
        server: server.expect("a server"),
        state,
    }
}

/// The client.
pub struct Api {
    address: SocketAddr,
    token: Option<String>,
    document: Value,
}

/// An answer: its status, its headers, and what it says in JSON.
pub struct Answer {
    pub response: Response,
    pub status: u16,
    pub json: Value,
}

impl Api {
    pub async fn of(server: &TestServer) -> Self {
        Self::at(address(&server.server), None).await
    }

    pub async fn at(address: SocketAddr, token: Option<&str>) -> Self {
        let mut api = Self {
            address,
            token: token.map(str::to_owned),
            document: Value::Null,
        };
        let answer = api.raw("GET", "/v1/openapi.json", "", "").await;
        assert_eq!(answer.status, 200);
        api.document = answer.json;
        api
    }

    pub fn document(&self) -> &Value {
        &self.document
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.call("GET", path, "").await
    }

    pub async fn put(&self, path: &str) -> Answer {
        self.call("PUT", path, "").await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.call("DELETE", path, "").await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.call("POST", path, &body.to_string()).await
    }

    pub async fn patch(&self, path: &str, body: Value) -> Answer {
        self.call("PATCH", path, &body.to_string()).await
    }

    /// The answer has to be one that the document tells of.
    #[track_caller]
    pub fn call(&self, method: &str, path: &str, body: &str) -> impl Future<Output = Answer> {
        let place = std::panic::Location::caller();
        async move {
            let headers = "Content-Type: application/json\r\n";
            let answer = self.raw(method, path, headers, body).await;
            let asked = self.check_request(method, path, body, &answer);
            let checked = asked.and_then(|()| self.check(method, path, &answer));
            checked.unwrap_or_else(|why| panic!("{place}: {method} {path}: {why}"));
            answer
        }
    }

    /// A request with these headers beside `Host` and the token.
    pub async fn raw(&self, method: &str, path: &str, headers: &str, body: &str) -> Answer {
        let mut http = Http::to(self.address).await;
        let length = body.len();
        let token = self.token.as_ref();
        let token = token.map(|token| format!("Authorization: Bearer {token}\r\n"));
        let host = match headers.contains("Host:") {
            true => String::new(),
            false => format!("Host: {}\r\n", self.address),
        };
        let head = format!(
            "{method} {path} HTTP/1.1\r\n{host}{}{headers}Content-Length: {length}\r\n\r\n",
            token.unwrap_or_default()
        );
        http.send(head + body).await;
        let response = http.response_to(method).await.expect("an answer");
        let is_json = response
            .header("content-type")
            .is_some_and(|kind| kind.contains("json"));
        let json = match is_json {
            true => serde_json::from_str(response.text()).expect("JSON"),
            false => Value::Null,
        };
        Answer {
            status: response.status,
            response,
            json,
        }
    }

    fn check(&self, method: &str, path: &str, answer: &Answer) -> Result<(), String> {
        let operation = self.operation(method, path).ok_or("is not described")?;
        let status = answer.status.to_string();
        let responses = &operation["responses"];
        let response = match &responses[&status] {
            Value::Null if answer.status < 300 => return Err(format!("{status} is not described")),
            Value::Null => &responses["default"],
            response => response,
        };
        let Some(content) = response["content"].as_object() else {
            let is_empty = answer.response.body.is_empty();
            return is_empty.then_some(()).ok_or("no body is described".into());
        };
        let kind = answer.response.header("content-type").unwrap_or_default();
        let described = content
            .get(&kind)
            .ok_or(format!("{kind:?} is not described"))?;
        self.validate(&described["schema"], &answer.json)
    }

    /// A request that was understood has to be one that the document tells of.
    fn check_request(
        &self,
        method: &str,
        path: &str,
        body: &str,
        answer: &Answer,
    ) -> Result<(), String> {
        let operation = self.operation(method, path).ok_or("is not described")?;
        if answer.status >= 300 {
            return Ok(());
        }
        let (_, query) = path.split_once('?').unwrap_or_default();
        for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
            let mut parameters = operation["parameters"].as_array().into_iter().flatten();
            let parameter = parameters
                .find(|parameter| parameter["in"] == "query" && parameter["name"] == name)
                .ok_or(format!("{name} is not described"))?;
            let value = match value.parse::<u16>() {
                Ok(number) if name == "limit" => number.into(),
                _ if name == "all" => (value == "true").into(),
                _ => Value::from(value),
            };
            self.validate(&parameter["schema"], &value)
                .map_err(|why| format!("{name}: {why}"))?;
        }
        let described = &operation["requestBody"]["content"]["application/json"];
        match (body.is_empty(), described.is_null()) {
            (true, true) => Ok(()),
            (false, false) => {
                let body = serde_json::from_str(body).expect("JSON");
                self.validate(&described["schema"], &body)
            }
            _ => Err("a body is there or described, and not both".to_owned()),
        }
    }

    fn validate(&self, schema: &Value, instance: &Value) -> Result<(), String> {
        // References start from the root of the document.
        let mut schema = schema.clone();
        schema["components"] = self.document["components"].clone();
        let validator = jsonschema::draft202012::new(&schema).map_err(|why| why.to_string())?;
        let validated = validator.validate(instance);
        validated.map_err(|why| format!("{why} at {}: {instance}", why.instance_path()))
    }

    fn operation(&self, method: &str, path: &str) -> Option<&Value> {
        let path = path.split('?').next()?;
        let paths = self.document["paths"].as_object()?.iter();
        let is_meant = |template: &str| {
            let (template, path) = (template.split('/'), path.split('/'));
            template.clone().count() == path.clone().count()
                && template
                    .zip(path)
                    .all(|(part, given)| part.starts_with('{') || part == given)
        };
        let mut items = paths.filter(|(template, _)| is_meant(template));
        items.find_map(|(_, item)| item.get(method.to_lowercase()))
    }
}

impl Answer {
    /// It has this status.
    #[track_caller]
    pub fn is(&self, status: u16) -> &Value {
        assert_eq!(self.status, status, "{}", self.json);
        &self.json
    }

    /// It is a problem with this status, and says these words.
    #[track_caller]
    pub fn is_problem(&self, status: u16, words: &str) {
        let kind = self.response.header("content-type");
        assert_eq!(kind.as_deref(), Some("application/problem+json"));
        assert_eq!(self.is(status)["status"], status);
        let detail = self.json["detail"].as_str().unwrap_or_default();
        assert!(detail.contains(words), "{detail:?} does not say {words:?}");
    }
}
