//! Is it alive, is it ready, how does it do: for load balancers, supervisors and Prometheus, on the
//! admin port.

use crate::metrics::{CONTENT_TYPE, Figures};
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;

/// Why this process should get no new connections, one line a reason; empty when it should.
///
/// Called for every request to `/readyz`: it must be quick and must not block.
pub type Readiness = Arc<dyn Fn() -> Vec<String> + Send + Sync>;

/// `/healthz` and `/readyz`, in plain text.
///
/// `/healthz` answers 200 as long as the process answers at all: it says whether to restart it.
/// `/readyz` answers 200, or 503 with one line for each reason: it says whether to send it
/// clients, and turns first when the server drains.
pub fn router(readiness: Readiness) -> Router {
    Router::new()
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .with_state(readiness)
}

/// `/metrics`: all figures as of now, in the text format of Prometheus.
pub fn metrics(figures: Arc<Figures>) -> Router {
    Router::new()
        .route("/metrics", get(figures_now))
        .with_state(figures)
}

async fn figures_now(State(figures): State<Arc<Figures>>) -> impl IntoResponse {
    // It looks at every session, and no client is to wait for that.
    let text = tokio::task::spawn_blocking(move || figures.encode()).await;
    let status = match text {
        Ok(_) => StatusCode::OK,
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR,
    };
    let headers = [
        (header::CONTENT_TYPE, CONTENT_TYPE),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (status, headers, text.unwrap_or_default())
}

async fn healthz() -> impl IntoResponse {
    plain(StatusCode::OK, "alive\n".to_owned())
}

async fn readyz(State(readiness): State<Readiness>) -> impl IntoResponse {
    let reasons = readiness();
    if reasons.is_empty() {
        return plain(StatusCode::OK, "ready\n".to_owned());
    }
    let lines: String = reasons.iter().map(|reason| format!("{reason}\n")).collect();
    plain(StatusCode::SERVICE_UNAVAILABLE, lines)
}

fn plain(status: StatusCode, body: String) -> impl IntoResponse {
    let content_type = (header::CONTENT_TYPE, "text/plain; charset=utf-8");
    // A cached "alive" is a lie.
    (
        status,
        [content_type, (header::CACHE_CONTROL, "no-store")],
        body,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;
    use axum::http::Request;
    use http_body_util::BodyExt;
    use std::sync::Mutex;
    use tower_service::Service;

    async fn get_text(app: &Router, path: &str) -> (StatusCode, String) {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let response = app.clone().call(request).await.unwrap();
        let status = response.status();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn readyz_names_each_reason_and_turns_with_them_while_healthz_stays() {
        let reasons = Arc::new(Mutex::new(vec![
            "store: disk full".to_owned(),
            "draining".to_owned(),
        ]));
        let seen = Arc::clone(&reasons);
        let app = router(Arc::new(move || seen.lock().unwrap().clone()));
        let unavailable = StatusCode::SERVICE_UNAVAILABLE;
        assert_eq!(
            get_text(&app, "/readyz").await,
            (unavailable, "store: disk full\ndraining\n".into())
        );
        assert_eq!(
            get_text(&app, "/healthz").await,
            (StatusCode::OK, "alive\n".into())
        );
        reasons.lock().unwrap().clear();
        assert_eq!(
            get_text(&app, "/readyz").await,
            (StatusCode::OK, "ready\n".into())
        );
    }
}
