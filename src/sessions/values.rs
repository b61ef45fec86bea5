//! What others keep with a session: one value of each type.

use std::any::{Any, TypeId};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

type Value = Arc<dyn Any + Send + Sync>;

/// Values by their types. Most sessions have none, and then it takes little room.
#[derive(Default)]
pub(super) struct Values(Mutex<BTreeMap<TypeId, Value>>);

impl Values {
    pub(super) fn put<T: Any + Send + Sync>(&self, value: T) -> Option<Arc<T>> {
        let mut values = self.lock();
        let former = values.insert(TypeId::of::<T>(), Arc::new(value));
        former.and_then(|former| former.downcast().ok())
    }

    pub(super) fn get<T: Any + Send + Sync>(&self) -> Option<Arc<T>> {
        let value = self.lock().get(&TypeId::of::<T>())?.clone();
        value.downcast().ok()
    }

    pub(super) fn get_or_put<T: Any + Send + Sync>(&self, make: impl FnOnce() -> T) -> Arc<T> {
        let mut values = self.lock();
        let there = values.get(&TypeId::of::<T>()).cloned();
        if let Some(there) = there.and_then(|there| there.downcast().ok()) {
            return there;
        }
        let made = Arc::new(make());
        values.insert(TypeId::of::<T>(), made.clone());
        made
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<TypeId, Value>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_one_value_of_each_type() {
        let values = Values::default();
        assert_eq!(values.get::<u32>(), None);
        assert_eq!(values.put(1_u32), None);
        assert_eq!(values.put("two"), None);
        assert_eq!(values.put(3_u32).as_deref(), Some(&1));
        assert_eq!(values.get::<u32>().as_deref(), Some(&3));
        assert_eq!(*values.get_or_put(|| 4_u32), 3);
        assert_eq!(*values.get_or_put(|| 5_u64), 5);
        assert_eq!(values.get::<&str>().as_deref(), Some(&"two"));
    }
}
