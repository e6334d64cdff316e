//! A proxy before the API server that loses, repeats, delays and holds back what passes, as it is told.

use std::{
    net::Ipv4Addr,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::Router;
use kube::Client;
use tokio::{
    net::TcpListener,
    sync::{Notify, watch},
    task::AbortHandle,
};

use crate::{
    passage::{Passage, pass},
    scene::LIMIT,
};

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
