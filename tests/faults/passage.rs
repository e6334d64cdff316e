//! The way through the proxy: what becomes of each request, and of each line of a watch.

use std::{
    io,
    sync::{Arc, Mutex, MutexGuard},
};

use axum::{
    body::{Body, Bytes, to_bytes},
    extract::{Request, State},
    http::{Method, Uri, header},
    response::Response,
};
use futures::{StreamExt, stream};
use kube::{Client, client::Body as KubeBody};
use serde_json::Value;
use tokio::sync::{Notify, mpsc, watch};

use crate::proxy::Fault;

/// The way through, and what was told of it.
pub struct Passage {
    pub upstream: Client,
    pub rules: Mutex<Rules>,
    /// The chosen write has come.
    pub reached: Notify,
    /// Events of watches are held back.
    pub holds: watch::Sender<bool>,
    /// Counts how often the API server was made to forget where watches stood.
    pub forgets: watch::Sender<u32>,
    /// Counts the watches that were begun.
    pub watches: watch::Sender<u32>,
}

#[derive(Default)]
pub struct Rules {
    pub fault: Option<(Fault, usize)>,
    pub writes: usize,
    pub events: usize,
    pub late: Option<Carried>,
    /// The resource version from which lists are answered.
    pub past: Option<String>,
    /// Every write, for people.
    pub log: Vec<String>,
    /// No event is let through.
    pub blind: bool,
    /// Events that were left out.
    pub unseen: Vec<String>,
    /// Resource versions of objects that watches showed, in order.
    pub shown: Vec<String>,
}

/// A request that can be sent again.
#[derive(Clone)]
pub struct Carried {
    pub method: Method,
    pub uri: Uri,
    pub headers: axum::http::HeaderMap,
    pub body: Bytes,
}

impl Passage {
    pub fn rules(&self) -> MutexGuard<'_, Rules> {
        self.rules.lock().unwrap()
    }

    async fn forward(&self, request: &Carried) -> Response {
        let mut carried = axum::http::Request::builder().method(request.method.clone()).uri(request.uri.clone());
        *carried.headers_mut().unwrap() = request.headers.clone();
        match self.upstream.send(carried.body(KubeBody::from(request.body.clone())).unwrap()).await {
            Ok(answer) => answer.map(Body::new),
            Err(error) => {
                eprintln!("the API server gives no answer: {error}");
                broken()
            }
        }
    }

    /// A write: maybe the chosen one.
    async fn write(&self, request: Carried) -> Response {
        let (fault, late) = {
            let mut rules = self.rules();
            rules.writes += 1;
            let count = rules.writes;
            let fault = rules.fault.filter(|(fault, nth)| *nth == count && *fault != Fault::EventUnseen);
            let mark = fault.map(|(fault, _)| format!(" {fault:?}")).unwrap_or_default();
            let line = format!("{count}{mark} {} {} {}", request.method, request.uri, short(&request.body));
            rules.log.push(line);
            (fault.map(|(fault, _)| fault), rules.late.take())
        };
        let answer = match fault {
            None => self.forward(&request).await,
            Some(fault) => self.fail(fault, &request).await,
        };
        if let Some(late) = late {
            let answer = self.forward(&late).await;
            let line = format!("late {} {}: {}", late.method, late.uri, answer.status());
            self.rules().log.push(line);
        }
        answer
    }

    async fn fail(&self, fault: Fault, request: &Carried) -> Response {
        match fault {
            Fault::KilledBefore | Fault::EventUnseen => {}
            Fault::KilledAfter => drop(self.forward(request).await),
            Fault::KilledAndLate => self.rules().late = Some(request.clone()),
            Fault::Lost => {
                self.reached.notify_one();
                return broken();
            }
            Fault::AnswerLost => {
                drop(self.forward(request).await);
                self.reached.notify_one();
                return broken();
            }
            Fault::Repeated => {
                drop(self.forward(request).await);
                self.reached.notify_one();
                return self.forward(request).await;
            }
        }
        self.reached.notify_one();
        std::future::pending().await
    }

    /// Whether this event is let through.
    fn lets_through(&self, line: &str) -> bool {
        let event: Value = serde_json::from_str(line).unwrap();
        if !["ADDED", "MODIFIED", "DELETED"].contains(&event["type"].as_str().unwrap_or_default()) {
            return true;
        }
        let mut rules = self.rules();
        rules.events += 1;
        let chosen = rules.fault == Some((Fault::EventUnseen, rules.events));
        if chosen {
            rules.log.push(format!("unseen {}", short(line.as_bytes())));
            self.reached.notify_one();
        }
        if chosen || rules.blind {
            rules.unseen.push(line.to_owned());
            return false;
        }
        let version = event["object"]["metadata"]["resourceVersion"].as_str().unwrap_or_default().to_owned();
        rules.shown.push(version);
        true
    }

    /// The lines of a watch, one by one.
    async fn lines(self: Arc<Self>, answer: Body, to: mpsc::Sender<io::Result<Bytes>>) {
        let mut body = answer.into_data_stream();
        let mut forgets = self.forgets.subscribe();
        let mut holds = self.holds.subscribe();
        let mut pending = Vec::new();
        let follow = async {
            while let Some(Ok(chunk)) = body.next().await {
                pending.extend_from_slice(&chunk);
                while let Some(end) = pending.iter().position(|byte| *byte == b'\n') {
                    let line: Vec<u8> = pending.drain(..=end).collect();
                    holds.wait_for(|held| !held).await.unwrap();
                    if self.lets_through(&String::from_utf8_lossy(&line)) && to.send(Ok(line.into())).await.is_err() {
                        return;
                    }
                }
            }
        };
        tokio::select! {
            () = follow => {}
            () = to.closed() => {}
            _ = forgets.changed() => drop(to.send(Ok(Bytes::from_static(FORGOTTEN))).await),
        }
    }
}

const FORGOTTEN: &[u8] = b"{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\
    \"status\":\"Failure\",\"message\":\"too old resource version\",\"reason\":\"Expired\",\"code\":410}}\n";

/// A request on its way.
pub async fn pass(State(passage): State<Arc<Passage>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap_or_default();
    let mut headers = parts.headers;
    for own in [header::HOST, header::CONNECTION, header::CONTENT_LENGTH] {
        headers.remove(own);
    }
    let uri: Uri = parts.uri.path_and_query().unwrap().as_str().parse().unwrap();
    let mut request = Carried { method: parts.method, uri, headers, body };
    let query = request.uri.query().unwrap_or_default().to_owned();
    if request.uri.path().contains("/leases") {
        passage.forward(&request).await
    } else if request.method != Method::GET {
        passage.write(request).await
    } else if query.contains("watch=") {
        let answer = passage.forward(&request).await;
        if !answer.status().is_success() {
            return answer;
        }
        passage.watches.send_modify(|count| *count += 1);
        let (parts, body) = answer.into_parts();
        let (sender, receiver) = mpsc::channel(1);
        tokio::spawn(passage.lines(body, sender));
        let lines = stream::unfold(receiver, |mut lines| async { Some((lines.recv().await?, lines)) });
        Response::from_parts(parts, Body::from_stream(lines))
    } else {
        let past = passage.rules().past.clone();
        // The lists that watches begin with, not those of a sync's runs.
        if let Some(past) = past
            && query.contains("limit=")
            && !query.contains("labelSelector=")
            && !query.contains("continue=")
        {
            let kept = query.split('&').filter(|part| !part.starts_with("resourceVersion"));
            let query = kept.collect::<Vec<_>>().join("&");
            let uri = format!("{}?{query}&resourceVersion={past}&resourceVersionMatch=Exact", request.uri.path());
            request.uri = uri.parse().unwrap();
        }
        passage.forward(&request).await
    }
}

/// An answer in whose middle the connection ends.
fn broken() -> Response {
    let ends = io::Error::new(io::ErrorKind::ConnectionReset, "the connection breaks");
    Response::new(Body::from_stream(stream::iter([Err::<Bytes, _>(ends)])))
}

fn short(body: &[u8]) -> String {
    String::from_utf8_lossy(body).chars().take(240).collect()
}
