//! What people ask of a sync without touching its manifest: `requests/NAMESPACE/NAME.yaml`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::seen::Shown;

/// What is asked of one sync.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Requests {
    /// Annotations, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, Override<String>>,
    /// Instead of `spec.suspend`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspend: Option<Override<bool>>,
}

/// A value in the place of the manifest's: until the manifest says something else than it said when it was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Override<T> {
    /// The value.
    pub value: T,
    /// What the manifest said then.
    #[serde(default = "nothing", skip_serializing_if = "Option::is_none")]
    pub over: Option<T>,
}

fn nothing<T>() -> Option<T> {
    None
}

impl Requests {
    /// Whether nothing is asked.
    pub fn is_empty(&self) -> bool {
        self.annotations.is_empty() && self.suspend.is_none()
    }

    /// Asks for an annotation.
    pub fn annotate(&mut self, shown: &Shown, annotation: &str, value: &str) {
        let over = said(shown, annotation).cloned();
        self.annotations.insert(annotation.to_owned(), Override { value: value.to_owned(), over });
    }

    /// Asks to suspend or resume; what the manifest says itself needs no request.
    pub fn suspend(&mut self, shown: &Shown, suspend: bool) {
        self.suspend = (shown.suspend != suspend).then_some(Override { value: suspend, over: Some(shown.suspend) });
    }

    /// Takes out what the manifest has overtaken. Says whether there was something.
    pub fn tidy(&mut self, shown: &Shown) -> bool {
        let before = self.clone();
        self.annotations.retain(|name, wanted| wanted.over.as_ref() == said(shown, name));
        self.suspend = self.suspend.take().filter(|wanted| wanted.over == Some(shown.suspend));
        *self != before
    }

    /// The sync as it is asked for.
    pub fn applied(mut self, shown: &Shown) -> Shown {
        self.tidy(shown);
        let mut wanted = shown.clone();
        for (name, value) in self.annotations {
            wanted.metadata.annotations.get_or_insert_default().insert(name, value.value);
        }
        if let Some(suspend) = self.suspend {
            wanted.suspend = suspend.value;
            wanted.spec = wanted.spec.map(|mut spec| {
                spec.suspend = suspend.value;
                spec
            });
        }
        wanted
    }
}

fn said<'a>(shown: &'a Shown, annotation: &str) -> Option<&'a String> {
    shown.metadata.annotations.as_ref()?.get(annotation)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{api::UPDATE_NOW, model::sync::Key};

    fn shown(suspend: bool, token: Option<&str>) -> Shown {
        let key = Key { namespace: "default".into(), name: "hr".into() };
        let mut shown = Shown::unreadable(&key, "hr.yaml", "-");
        shown.suspend = suspend;
        let annotations = token.map(|token| BTreeMap::from([(UPDATE_NOW.to_owned(), token.to_owned())]));
        shown.metadata.annotations = annotations;
        shown
    }

    fn seen(requests: &Requests, shown: &Shown) -> (bool, Option<String>) {
        let wanted = requests.clone().applied(shown);
        (wanted.suspend, said(&wanted, UPDATE_NOW).cloned())
    }

    #[test]
    fn a_request_stands_until_the_manifest_changes() {
        let mut requests = Requests::default();
        requests.suspend(&shown(false, None), true);
        requests.annotate(&shown(false, None), UPDATE_NOW, "mine");
        assert_eq!(seen(&requests, &shown(false, None)), (true, Some("mine".into())));
        assert_eq!(seen(&requests, &shown(true, None)), (true, Some("mine".into())), "the same by now");
        assert_eq!(seen(&requests, &shown(false, Some("git's"))), (true, Some("git's".into())));
        assert!(!requests.clone().tidy(&shown(false, None)));
        let mut left = requests.clone();
        assert!(left.tidy(&shown(true, Some("git's"))));
        assert!(left.is_empty());
    }

    #[test]
    fn resuming_what_the_manifest_never_suspended_leaves_nothing() {
        let mut requests = Requests::default();
        requests.suspend(&shown(false, None), true);
        requests.suspend(&shown(false, None), false);
        assert!(requests.is_empty());
        requests.suspend(&shown(true, None), false);
        assert_eq!(seen(&requests, &shown(true, None)), (false, None));
    }

    #[test]
    fn it_is_kept_as_it_was_asked() {
        let mut requests = Requests::default();
        requests.suspend(&shown(true, None), false);
        requests.annotate(&shown(true, Some("old")), UPDATE_NOW, "123");
        let text = serde_yaml::to_string(&requests).unwrap();
        assert_eq!(serde_yaml::from_str::<Requests>(&text).unwrap(), requests, "{text}");
        assert!(serde_yaml::from_str::<Requests>("suspended: true").is_err());
    }
}
