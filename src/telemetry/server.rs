//! A small web server for monitoring: `/metrics`, `/healthz`, `/readyz`.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    Router,
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::get,
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::Metrics;

/// The media type of the text format.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Whether the process can do its work; else why not.
pub type Ready = Arc<dyn Fn() -> Result<(), String> + Send + Sync>;

/// Why the server can't be. The message is whole.
#[derive(Debug, thiserror::Error)]
#[error("can't listen on {0} for metrics: {1}; give another address with --metrics")]
pub struct ServerError(SocketAddr, std::io::Error);

/// Listens there: what comes later can't fail.
pub async fn listen(address: SocketAddr) -> Result<TcpListener, ServerError> {
    TcpListener::bind(address).await.map_err(|error| ServerError(address, error))
}

/// Answers until it is told to stop.
pub async fn serve(listener: TcpListener, metrics: Arc<Metrics>, ready: Ready, stop: CancellationToken) {
    let router = Router::new()
        .route("/metrics", get(move || async move { text(&metrics) }))
        // That it answers is all there is to say: a cluster that is away is no reason to start this process anew.
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(move || async move { readiness(&ready) }));
    let stopped = async move { stop.cancelled().await };
    if let Err(error) = axum::serve(listener, router).with_graceful_shutdown(stopped).await {
        tracing::error!("metrics are not served any more: {error}");
    }
}

fn text(metrics: &Metrics) -> Response {
    match metrics.text() {
        Ok(text) => ([(CONTENT_TYPE, OPEN_METRICS)], text).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

fn readiness(ready: &Ready) -> Response {
    match ready() {
        Ok(()) => "ok\n".into_response(),
        Err(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")).into_response(),
    }
}
