//! Tables of the real objects, each under a small number: a state of the model holds numbers, and a number stands for exactly
//! one object, whole.

use std::{
    collections::HashMap,
    fmt::Debug,
    hash::Hash,
    sync::{Arc, Mutex},
};

use serde::{Serialize, de::DeserializeOwned};

/// Stands for an object of a table.
pub type Id = u16;

/// Objects by number, each once.
pub struct Table<T>(Mutex<(HashMap<String, Id>, Vec<Arc<T>>)>);

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self(Mutex::new((HashMap::new(), Vec::new())))
    }
}

impl<T> Table<T> {
    fn id(&self, text: String, value: impl FnOnce(&str) -> T) -> Id {
        let (ids, values) = &mut *self.0.lock().unwrap();
        if let Some(id) = ids.get(&text) {
            return *id;
        }
        let id = Id::try_from(values.len()).expect("more objects than numbers");
        values.push(Arc::new(value(&text)));
        ids.insert(text, id);
        id
    }

    /// The object of that number.
    pub fn get(&self, id: Id) -> Arc<T> {
        self.0.lock().unwrap().1[usize::from(id)].clone()
    }
}

impl<T: Serialize + DeserializeOwned> Table<T> {
    /// The number of an object of the API: as it comes back from there, through its JSON.
    pub fn stored(&self, value: &T) -> Id {
        self.id(serde_json::to_string(value).unwrap(), |text| serde_json::from_str(text).unwrap())
    }
}

impl<T: Debug + Clone> Table<T> {
    /// The number of an object of this process: two are the same if `Debug` shows them so, and it shows every field.
    pub fn kept(&self, value: &T) -> Id {
        self.id(format!("{value:?}"), |_| value.clone())
    }
}

/// Answers that were found once.
pub struct Memo<K, V>(Mutex<HashMap<K, V>>);

impl<K, V> Default for Memo<K, V> {
    fn default() -> Self {
        Self(Mutex::new(HashMap::new()))
    }
}

impl<K: Eq + Hash, V: Clone> Memo<K, V> {
    /// The answer, if it is known.
    pub fn get(&self, key: &K) -> Option<V> {
        self.0.lock().unwrap().get(key).cloned()
    }

    /// Keeps an answer.
    pub fn put(&self, key: K, value: V) -> V {
        self.0.lock().unwrap().insert(key, value.clone());
        value
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.lock().unwrap().len()
    }
}
