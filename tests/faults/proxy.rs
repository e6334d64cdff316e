//! A proxy before the API server that loses, repeats, delays and holds back what passes, as it is told.

use std::{
    io,
    net::Ipv4Addr,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes, to_bytes},
    extract::{Request, State},
    http::{Method, Uri, header},
    response::Response,
};
use futures::{StreamExt, stream};
use kube::{Client, client::Body as KubeBody};
use serde_json::Value;
use tokio::{
    net::TcpListener,
    sync::{Notify, mpsc, watch},
    task::AbortHandle,
};

use crate::scene::LIMIT;

/// What becomes of the chosen write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It never gets to the API server. The operator has no answer, and is to be killed.
    KilledBefore,
    /// It is carried out. The operator has no answer, and is to be killed.
    KilledAfter,
    /// The operator has no answer, and is to be killed; the write gets to the API server after the next operator's first.
    KilledAndLate,
    /// It never gets to the API server: the connection breaks.
    Lost,
    /// It is carried out, and the connection breaks before the answer.
    AnswerLost,
    /// It gets to the API server twice; the answer is that to the second.
    Repeated,
    /// No write: an event of a watch is left out.
    EventUnseen,
}

/// One operator's way to the API server. Ends with its drop.
pub struct Proxy {
    /// A kubeconfig that leads here.
    pub kubeconfig: PathBuf,
    passage: Arc<Passage>,
    server: AbortHandle,
}

struct Passage {
    upstream: Client,
    rules: Mutex<Rules>,
    /// The chosen write has come.
    reached: Notify,
    /// Events of watches are held back.
    holds: watch::Sender<bool>,
    /// Counts how often the API server was made to forget where watches stood.
    forgets: watch::Sender<u32>,
    /// Counts the watches that were begun.
    watches: watch::Sender<u32>,
}

#[derive(Default)]
struct Rules {
    fault: Option<(Fault, usize)>,
    writes: usize,
    events: usize,
    late: Option<Carried>,
    /// The resource version from which lists are answered.
    past: Option<String>,
    /// Every write, for people.
    log: Vec<String>,
    /// No event is let through.
    blind: bool,
    /// Events that were left out.
    unseen: Vec<String>,
    /// Resource versions of objects that watches showed, in order.
    shown: Vec<String>,
}

/// A request that can be sent again.
#[derive(Clone)]
struct Carried {
    method: Method,
    uri: Uri,
    headers: axum::http::HeaderMap,
    body: Bytes,
}

impl Proxy {
    /// Starts a proxy before the API server that the client speaks to, with the client's rights. Its kubeconfig is in `folder`.
    pub async fn start(upstream: Client, folder: &Path) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let server = format!("http://{}", listener.local_addr().unwrap());
        let config = serde_json::json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "proxy",
            "clusters": [{"name": "proxy", "cluster": {"server": server}}],
            "contexts": [{"name": "proxy", "context": {"cluster": "proxy", "user": "proxy"}}],
            "users": [{"name": "proxy", "user": {}}],
        });
        let kubeconfig = folder.join("proxy.kubeconfig");
        std::fs::write(&kubeconfig, config.to_string()).unwrap();
        let passage = Arc::new(Passage {
            upstream,
            rules: Mutex::default(),
            reached: Notify::new(),
            holds: watch::Sender::new(false),
            forgets: watch::Sender::new(0),
            watches: watch::Sender::new(0),
        });
        let router = Router::new().fallback(pass).with_state(passage.clone());
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() }).abort_handle();
        Self { kubeconfig, passage, server }
    }

    /// The fault meets the `nth` write from now on (or event), the first being 1.
    pub fn arm(&self, fault: Fault, nth: usize) {
        let mut rules = self.passage.rules();
        rules.fault = Some((fault, nth));
        (rules.writes, rules.events) = (0, 0);
    }

    /// Waits until the chosen write, or event, has come.
    pub async fn reached(&self) {
        self.passage.reached.notified().await;
    }

    /// Resource versions of objects that watches showed so far, in order.
    pub fn shown(&self) -> Vec<String> {
        self.passage.rules().shown.clone()
    }

    /// Waits until both kinds of objects are being watched.
    pub async fn watched(&self) {
        let mut watches = self.passage.watches.subscribe();
        tokio::time::timeout(LIMIT, watches.wait_for(|count| *count >= 2)).await.expect("watches").unwrap();
    }

    /// From now on events are left out, or not any more.
    pub fn blind(&self, blind: bool) {
        self.passage.rules().blind = blind;
    }

    /// Waits until an event has been left out that has all of these texts in it.
    pub async fn left_out(&self, texts: &[&str]) {
        let is_it = |event: &String| texts.iter().all(|text| event.contains(text));
        let waiting = async {
            while !self.passage.rules().unseen.iter().any(is_it) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(LIMIT, waiting).await.unwrap_or_else(|_| panic!("no event with {texts:?}"));
    }

    /// Lists are answered as they were at that resource version, and what watches see is held back; until [`Proxy::present`].
    pub fn past(&self, version: &str) {
        self.passage.rules().past = Some(version.to_owned());
        self.passage.holds.send_replace(true);
    }

    /// Lists are answered as they are, and everything is let through.
    pub fn present(&self) {
        self.passage.rules().past = None;
        self.passage.holds.send_replace(false);
    }

    /// The API server has forgotten where watches stood: they must list anew. What was held back is lost.
    pub fn forget(&self) {
        self.passage.forgets.send_modify(|count| *count += 1);
    }

    /// Every write so far.
    pub fn log(&self) -> String {
        self.passage.rules().log.join("\n")
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.server.abort();
        if std::thread::panicking() {
            eprintln!("writes that came by:\n{}", self.log());
        }
    }
}

impl Passage {
    fn rules(&self) -> MutexGuard<'_, Rules> {
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

async fn pass(State(passage): State<Arc<Passage>>, request: Request) -> Response {
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
