//! Actions on stores and databases, through each interface that the host provides.

use spin_sdk::experimental::wasi::keyvalue::{atomics, batch, store};
use spin_sdk::key_value::Store;
use spin_sdk::sqlite::{Connection, Value};

use super::ActionResult;
use super::query::Query;

const STORE: &str = "saboteur";

fn debug_text<E: std::fmt::Debug>(error: E) -> String {
    format!("{error:?}")
}

fn text_of(value: Option<Vec<u8>>) -> String {
    match value {
        None => "absent".to_owned(),
        Some(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
    }
}

/// `/kv/<verb>?store=&key=&value=` through `spin:key-value`.
pub async fn key_value(verb: &str, query: &Query) -> ActionResult {
    let store = Store::open(query.get("store").unwrap_or(STORE))
        .await
        .map_err(debug_text)?;
    match verb {
        "get" => Ok(text_of(
            store.get(query.text("key")?).await.map_err(debug_text)?,
        )),
        "set" => {
            store
                .set(query.text("key")?, query.text("value")?)
                .await
                .map_err(debug_text)?;
            Ok("set".to_owned())
        }
        "delete" => {
            store.delete(query.text("key")?).await.map_err(debug_text)?;
            Ok("deleted".to_owned())
        }
        "exists" => Ok(store
            .exists(query.text("key")?)
            .await
            .map_err(debug_text)?
            .to_string()),
        "keys" => {
            let mut keys = store.get_keys().await.collect().await.map_err(debug_text)?;
            keys.sort();
            Ok(keys.join(" "))
        }
        other => Err(format!("no such verb: `{other}`")),
    }
}

/// `/wasi/<verb>?store=&key=&value=` through `wasi:keyvalue` store, batch and `increment`.
pub fn wasi_key_value(verb: &str, query: &Query) -> ActionResult {
    let bucket = store::open(query.get("store").unwrap_or(STORE)).map_err(debug_text)?;
    match verb {
        "get" => Ok(text_of(bucket.get(query.text("key")?).map_err(debug_text)?)),
        "set" => {
            bucket
                .set(query.text("key")?, query.text("value")?.as_bytes())
                .map_err(debug_text)?;
            Ok("set".to_owned())
        }
        "delete" => {
            bucket.delete(query.text("key")?).map_err(debug_text)?;
            Ok("deleted".to_owned())
        }
        "exists" => Ok(bucket
            .exists(query.text("key")?)
            .map_err(debug_text)?
            .to_string()),
        "keys" => {
            let mut keys = bucket
                .list_keys(query.get("cursor"))
                .map_err(debug_text)?
                .keys;
            keys.sort();
            Ok(keys.join(" "))
        }
        "increment" => {
            let delta = query.number("delta", 1)?;
            Ok(atomics::increment(&bucket, query.text("key")?, delta)
                .map_err(debug_text)?
                .to_string())
        }
        "get-many" => {
            let keys: Vec<String> = query.all("key").map(str::to_owned).collect();
            let mut found = batch::get_many(&bucket, &keys).map_err(debug_text)?;
            found.sort();
            let lines = found
                .into_iter()
                .map(|(key, value)| format!("{key}={}", text_of(value)));
            Ok(lines.collect::<Vec<_>>().join(" "))
        }
        "set-many" => {
            let value = query.text("value")?.as_bytes().to_vec();
            let pairs: Vec<_> = query
                .all("key")
                .map(|key| (key.to_owned(), value.clone()))
                .collect();
            batch::set_many(&bucket, &pairs).map_err(debug_text)?;
            Ok(format!("set {}", pairs.len()))
        }
        "delete-many" => {
            let keys: Vec<String> = query.all("key").map(str::to_owned).collect();
            batch::delete_many(&bucket, &keys).map_err(debug_text)?;
            Ok(format!("deleted {}", keys.len()))
        }
        other => Err(format!("no such verb: `{other}`")),
    }
}

/// `/cas/once?key=&value=`: one swap; with `interfere=`, another value is written in between.
/// `/cas/add?key=&times=`: adds one this many times; each swap is retried until it succeeds.
/// `/cas/create?key=&value=`: swaps only if the key is absent.
/// `/cas/hoard?key=&kib=&times=`: a value of this size, and this many handles that hold it.
pub fn compare_and_swap(verb: &str, query: &Query) -> ActionResult {
    let bucket = store::open(query.get("store").unwrap_or(STORE)).map_err(debug_text)?;
    let key = query.text("key")?;
    match verb {
        "once" => {
            let cas = atomics::Cas::new(&bucket, key).map_err(debug_text)?;
            let before = text_of(cas.current().map_err(debug_text)?);
            if let Some(other) = query.get("interfere") {
                bucket.set(key, other.as_bytes()).map_err(debug_text)?;
            }
            Ok(match atomics::swap(cas, query.text("value")?.as_bytes()) {
                Ok(()) => format!("{before} -> swapped"),
                Err(atomics::CasError::CasFailed(newest)) => {
                    format!(
                        "{before} -> failed, now {}",
                        text_of(newest.current().map_err(debug_text)?)
                    )
                }
                Err(atomics::CasError::StoreError(error)) => return Err(debug_text(error)),
            })
        }
        "create" => {
            let cas = atomics::Cas::new(&bucket, key).map_err(debug_text)?;
            if cas.current().map_err(debug_text)?.is_some() {
                return Ok("lost".to_owned());
            }
            match atomics::swap(cas, query.text("value")?.as_bytes()) {
                Ok(()) => Ok("won".to_owned()),
                Err(atomics::CasError::CasFailed(_)) => Ok("lost".to_owned()),
                Err(atomics::CasError::StoreError(error)) => Err(debug_text(error)),
            }
        }
        "hoard" => {
            let value = vec![b'x'; query.number("kib", 1_usize)? << 10];
            bucket.set(key, &value).map_err(debug_text)?;
            let mut handles = Vec::new();
            for number in 0..query.number("times", 1_usize)? {
                let handle = atomics::Cas::new(&bucket, key);
                handles.push(handle.map_err(|error| format!("{number} kept, then {error:?}"))?);
            }
            Ok(format!("{} kept", handles.len()))
        }
        "add" => {
            let mut failures = 0;
            for _ in 0..query.number("times", 1)? {
                let mut cas = atomics::Cas::new(&bucket, key).map_err(debug_text)?;
                loop {
                    let number: i64 = text_of(cas.current().map_err(debug_text)?)
                        .parse()
                        .unwrap_or(0);
                    match atomics::swap(cas, (number + 1).to_string().as_bytes()) {
                        Ok(()) => break,
                        Err(atomics::CasError::StoreError(error)) => return Err(debug_text(error)),
                        Err(atomics::CasError::CasFailed(newest)) => {
                            failures += 1;
                            cas = newest;
                        }
                    }
                }
            }
            Ok(format!("lost {failures} races"))
        }
        other => Err(format!("no such verb: `{other}`")),
    }
}

/// `/sql?db=&statement=&value=…`: values are bound; digits only are integers, `null` is null, everything else is
/// text.
pub async fn sql(query: &Query) -> ActionResult {
    let connection = Connection::open(query.get("db").unwrap_or(STORE))
        .await
        .map_err(debug_text)?;
    let values = query.all("value").map(|value| match value.parse() {
        Ok(number) => Value::Integer(number),
        Err(_) if value == "null" => Value::Null,
        Err(_) => Value::Text(value.to_owned()),
    });
    let result = connection
        .execute(query.text("statement")?, values.collect::<Vec<_>>())
        .await
        .map_err(debug_text)?;
    let columns = result.columns().join(" ");
    let rows = result.collect().await.map_err(debug_text)?;
    let changes = connection.changes().await;
    let last = connection.last_insert_rowid().await;
    let lines = rows.iter().map(|row| format!("{:?}", row.values));
    Ok(format!(
        "{columns}\n{}\nchanges {changes}, last rowid {last}",
        lines.collect::<Vec<_>>().join("\n")
    ))
}
